#!/usr/bin/env python3
"""Print molecules/fragments.smi: small molecules that exercise the rules of a force field.

    python scripts/make_fragments.py > molecules/fragments.smi

The molecules were written by hand: the common functional groups, rings and ions, each in its smallest molecules, and
then, going through the SMIRKS of openff-2.2.1, what each rule asks for. From this longer list were dropped, larger ones
first, molecules without which every rule still wins in two. `scripts/check_fragments.py` measures how far that goes.

SMILES are written canonically, and lines sorted by the number of heavy atoms, then by name. Nothing is random.
"""

import sys

from rdkit import Chem

# Family to its molecules: "SMILES name", with semicolons between.
FAMILIES = {
    "water, monatomic ions and xenon": """
        O water; [Li+] lithium(1+); [Na+] sodium(1+); [K+] potassium(1+); [Rb+] rubidium(1+); [Cs+] caesium(1+);
        [F-] fluoride; [Cl-] chloride; [Br-] bromide; [I-] iodide; [Xe] xenon
    """,
    "hydrocarbons": """
        C methane; CC ethane; CCC propane; CCCC butane; CC(C)C isobutane; CC(C)(C)C neopentane; C=C ethene;
        CC=C propene; C/C=C/C (E)-but-2-ene; C/C=C\\C (Z)-but-2-ene; CC(C)=C 2-methylpropene; C=CC=C buta-1,3-diene;
        C#C ethyne; CC#C propyne; c1ccccc1 benzene; Cc1ccccc1 toluene; C=Cc1ccccc1 styrene;
        c1ccc(cc1)-c1ccccc1 biphenyl; c1ccc2ccccc2c1 naphthalene
    """,
    "carbon rings": """
        C1CC1 cyclopropane; C1=CC1 cyclopropene; C1CCC1 cyclobutane; FC1CCC1 fluorocyclobutane; OC1CCC1 cyclobutanol;
        C1CCCC1 cyclopentane; C1=CCCC1 cyclopentene; OC1=CCCC1 cyclopent-1-en-1-ol; C1CCCCC1 cyclohexane;
        C1=CCCCC1 cyclohexene; C1CCC2(C1)CCCCC2 spiro[4.5]decane; C1CC[C@H]2CCC[C@H]2C1 (3aR,7aS)-octahydro-1H-indene
    """,
    "cyclopropanes with a substituent": """
        C=C(C)C1CC1 prop-1-en-2-ylcyclopropane; CC1(CC1)C=C 1-ethenyl-1-methylcyclopropane;
        NC1(CC1)C=C 1-ethenylcyclopropan-1-amine; CNC1(CC1)C=C 1-ethenyl-N-methylcyclopropan-1-amine;
        CC1(CC1)c1ccccc1 (1-methylcyclopropyl)benzene; C1CC1c1ccccn1 2-cyclopropylpyridine;
        C1CC1c1ncccn1 2-cyclopropylpyrimidine; C1CC1c1cc[nH]n1 3-cyclopropyl-1H-pyrazole;
        C1CC1C1=CCCC1 1-cyclopropylcyclopentene; C1CC1C1=CCC=C1 2-cyclopropylcyclopenta-1,3-diene;
        C=CC1(CC1)C([O-])=O 1-ethenylcyclopropane-1-carboxylate;
        OC(=O)C1(CC1)C([O-])=O 1-carboxycyclopropane-1-carboxylate;
        C=CC1(CC1)C(N)=O 1-ethenylcyclopropane-1-carboxamide; NC(=O)C1(CC1)C(N)=O cyclopropane-1,1-dicarboxamide;
        NC1(CC1)C(O)=O 1-aminocyclopropane-1-carboxylic acid; O/N=C/C1CC1 (E)-N-(cyclopropylmethylidene)hydroxylamine;
        C[NH2+]C1CC1 N-methylcyclopropanaminium; O=CNC1CC1 N-cyclopropylformamide; OC1CC1 cyclopropanol;
        CC1(O)CC1 1-methylcyclopropan-1-ol; CCC1(O)CC1 1-ethylcyclopropan-1-ol; C=COC1CC1 (ethenyloxy)cyclopropane;
        O=COC1CC1 cyclopropyl formate; O[C@@H]1C[C@H]1O (1R,2R)-cyclopropane-1,2-diol
    """,
    "halogens": """
        CF fluoromethane; FC(F)F trifluoromethane; CC(F)(F)F 1,1,1-trifluoroethane; FCCF 1,2-difluoroethane;
        FCC(F)F 1,1,2-trifluoroethane; CCl chloromethane; ClCCl dichloromethane; ClC(Cl)Cl chloroform;
        ClCCCl 1,2-dichloroethane; ClCC(Cl)Cl 1,1,2-trichloroethane; CBr bromomethane; BrCCBr 1,2-dibromoethane;
        BrCC(Br)Br 1,1,2-tribromoethane; CI iodomethane; CCI iodoethane; C=CF fluoroethene; C=CI iodoethene;
        C#CBr bromoethyne; C#CCl chloroethyne; Fc1ccccc1 fluorobenzene; Clc1ccccc1 chlorobenzene;
        Brc1ccccc1 bromobenzene; Ic1ccccc1 iodobenzene; FC(F)(F)c1ccccc1 (trifluoromethyl)benzene
    """,
    "alcohols, ethers, acetals and peroxides": """
        CO methanol; CCO ethanol; CC(C)O propan-2-ol; CC(C)(C)O 2-methylpropan-2-ol; OCCO ethane-1,2-diol;
        Oc1ccccc1 phenol; [O-]c1ccccc1 phenoxide; COC dimethyl ether; CCOCC diethyl ether; COCCOC 1,2-dimethoxyethane;
        C=COC methyl vinyl ether; COc1ccccc1 anisole; COC#C methoxyethyne; C1CO1 oxirane; C1CCO1 oxetane;
        C1CCOC1 tetrahydrofuran; C1CCOCC1 tetrahydropyran; C1COCCO1 1,4-dioxane; C1=COCC1 2,3-dihydrofuran;
        C1=COC=CO1 1,4-dioxine; C1C[C@@H]2O[C@@H]2C1 (1R,5S)-6-oxabicyclo[3.1.0]hexane; COCOC dimethoxymethane;
        C1OCCO1 1,3-dioxolane; OO hydrogen peroxide; COOC dimethyl peroxide; C1COOC1 1,2-dioxolane;
        CC(=O)OO peracetic acid; c1cc[o+]cc1 pyrylium; Cc1cc[o+]cc1 4-methylpyrylium
    """,
    "carbonyls, acids and esters": """
        C=O formaldehyde; CC=O acetaldehyde; CC(C)=O acetone; C=CC=O acrolein; O=Cc1ccccc1 benzaldehyde;
        CC(=O)c1ccccc1 acetophenone; O=C1CCCC1 cyclopentanone; O=C1CCCCC1 cyclohexanone; OC=O formic acid;
        CC(O)=O acetic acid; C=CC(O)=O acrylic acid; OC(=O)C(O)=O oxalic acid; OC(=O)c1ccccc1 benzoic acid;
        CC([O-])=O acetate; CCC([O-])=O propanoate; C=CC([O-])=O acrylate; C=C(C)C([O-])=O methacrylate;
        [O-]C(=O)c1ccccc1 benzoate; COC=O methyl formate; COC(C)=O methyl acetate; COC(=O)c1ccccc1 methyl benzoate;
        CC(=O)Oc1ccccc1 phenyl acetate; CC(=O)OC(C)=O acetic anhydride; COC(=O)OC dimethyl carbonate;
        O=C1CCO1 oxetan-2-one; C=C=O ketene
    """,
    "amines and ammonium ions": """
        N ammonia; CN methanamine; CNC N-methylmethanamine; CN(C)C N,N-dimethylmethanamine; CCN ethanamine;
        NCCO 2-aminoethanol; NCc1ccccc1 benzylamine; C1CN1 aziridine; C1CCN1 azetidine; C1CCNC1 pyrrolidine;
        C1CCNCC1 piperidine; C1CNCCN1 piperazine; C1COCCN1 morpholine; C1=CNC=CC1 1,4-dihydropyridine;
        Nc1ccccc1 aniline; CNc1ccccc1 N-methylaniline; CN(C)c1ccccc1 N,N-dimethylaniline;
        C1C[C@@H]2N[C@@H]2C1 (1R,5S)-6-azabicyclo[3.1.0]hexane; [NH4+] ammonium; C[NH3+] methylammonium;
        C[NH+](C)C trimethylammonium; C[N+](C)(C)C tetramethylammonium; C1CC[NH2+]CC1 piperidin-1-ium;
        [NH3+]c1ccccc1 anilinium; C=C[N+](C)(C)C ethenyl(trimethyl)ammonium; NCC(O)=O glycine;
        [NH3+]CC([O-])=O ammonioacetate
    """,
    "amides, imides and ureas": """
        NC=O formamide; CNC=O N-methylformamide; CN(C)C=O N,N-dimethylformamide; CC(N)=O acetamide;
        CC(=O)NC N-methylacetamide; CC(=O)N(C)C N,N-dimethylacetamide; CCC(N)=O propanamide; C=CC(N)=O acrylamide;
        NC(=O)c1ccccc1 benzamide; CC(=O)Nc1ccccc1 acetanilide; CC(=O)NCC(N)=O 2-acetamidoacetamide;
        COCNC=O N-(methoxymethyl)formamide; COCNC(C)=O N-(methoxymethyl)acetamide;
        CC(=O)N1CC1 1-(aziridin-1-yl)ethanone; O=C1CCN1 azetidin-2-one; O=C1CCCN1 pyrrolidin-2-one;
        O=C1CCC(=O)N1 succinimide; O=C1CNC(=O)N1 imidazolidine-2,4-dione; NC(N)=O urea; CNC(=O)NC 1,3-dimethylurea;
        COC(=O)NC methyl N-methylcarbamate; CC(=O)N(C)[O-] N-methyl-N-oxidoacetamide
    """,
    "imines, amidines and guanidines": """
        C=NC N-methylmethanimine; C=NCC N-ethylmethanimine; C1CCN=C1 3,4-dihydro-2H-pyrrole;
        C=[NH+]C N-methylmethaniminium; C=[NH+]CC N-ethylmethaniminium; CC(N)=N acetamidine; CC(N)=[NH2+] acetamidinium;
        CCC(N)=[NH2+] propanamidinium; NC(N)=N guanidine; NC(N)=[NH2+] guanidinium; CNC(N)=[NH2+] methylguanidinium
    """,
    "nitriles, isocyanates and other cumulated systems": """
        C#N hydrogen cyanide; CC#N acetonitrile; C=CC#N acrylonitrile; N#Cc1ccccc1 benzonitrile;
        C[N+]#CC N-methylacetonitrilium; NC#N cyanamide; CNC#N methylcyanamide; COC#N methyl cyanate;
        CN=C=O methyl isocyanate; CN=C=S methyl isothiocyanate; C=CN=C=S vinyl isothiocyanate; CSC#N methyl thiocyanate;
        C=C=NC N-methylethenimine
    """,
    "six-membered aromatic nitrogen rings": """
        c1ccncc1 pyridine; Nc1ccccn1 pyridin-2-amine; c1cc[nH+]cc1 pyridin-1-ium; [O-][n+]1ccccc1 pyridine 1-oxide;
        [O-][n+]1ccccn1 pyridazine 1-oxide; c1cncnc1 pyrimidine; c1cnccn1 pyrazine; c1ccnnc1 pyridazine;
        c1ccc2ncccc2c1 quinoline; O=c1cccc[nH]1 pyridin-2(1H)-one; O=c1cc[nH]c(=O)[nH]1 uracil;
        c1ncc2nc[nH]c2n1 9H-purine
    """,
    "five-membered heteroaromatic rings": """
        c1ccoc1 furan; c1cc[nH]c1 1H-pyrrole; c1ccsc1 thiophene; Cn1cccc1 1-methyl-1H-pyrrole; c1cnc[nH]1 1H-imidazole;
        Cn1ccnc1 1-methyl-1H-imidazole; c1c[nH+]c[nH]1 1H-imidazol-3-ium; c1cn[nH]c1 1H-pyrazole;
        Cn1cccn1 1-methyl-1H-pyrazole; C1=C[N-]N=C1 pyrazol-1-ide; c1c[nH]nn1 1H-1,2,3-triazole;
        Cn1ccnn1 1-methyl-1H-1,2,3-triazole; CCn1nccn1 2-ethyl-2H-1,2,3-triazole; CCn1nncn1 2-ethyl-2H-tetrazole;
        c1nc[nH]n1 1H-1,2,4-triazole; c1nnn[nH]1 1H-tetrazole; c1nnn[n-]1 tetrazol-1-ide; c1cnoc1 1,2-oxazole;
        c1cocn1 1,3-oxazole; c1cscn1 1,3-thiazole; c1cnsc1 1,2-thiazole; [O-][N+](=O)c1ccco1 2-nitrofuran;
        NCc1cccs1 (thiophen-2-yl)methanamine; O=CNCc1cccs1 N-(thiophen-2-ylmethyl)formamide;
        NCc1nccs1 1,3-thiazol-2-ylmethanamine; c1ccc2[nH]ccc2c1 1H-indole; c1ccc2sccc2c1 1-benzothiophene;
        c1ccc2[nH]cnc2c1 1H-benzimidazole; c1ccn2nccc2c1 pyrazolo[1,5-a]pyridine; c1ccn2nncc2c1 triazolo[1,5-a]pyridine
    """,
    "hydrazines, hydrazones, azo and diazo compounds": """
        NN hydrazine; CNNC 1,2-dimethylhydrazine; C[NH2+]N 1-methylhydrazin-1-ium; CN[NH3+] 2-methylhydrazin-1-ium;
        C[N+](C)(C)N(C)C pentamethylhydrazin-1-ium; C1CCNN1 pyrazolidine; CC(=O)NN acetohydrazide;
        O=CNNC=O N'-formylformohydrazide; CC(=O)NNC(C)=O N'-acetylacetohydrazide; O=C1CC(=O)NN1 pyrazolidine-3,5-dione;
        CC1=CC(=O)NN1 5-methyl-1,2-dihydro-3H-pyrazol-3-one; CC(=O)N[N+](C)(C)C 2-acetyl-1,1,1-trimethylhydrazin-1-ium;
        C=NNCC 1-ethyl-2-methylidenehydrazine; C=NN(C)C formaldehyde dimethylhydrazone;
        C=N[N+](C)(C)C trimethyl(methylideneamino)ammonium; C/C=N/[N+](C)(C)C [(E)-ethylideneamino](trimethyl)ammonium;
        C1CC=NN1 4,5-dihydro-1H-pyrazole; C/N=N/C (E)-dimethyldiazene; C1C=CN=N1 3H-pyrazole;
        C/N=[N+](C)\\[O-] (Z)-azoxymethane; CN=[N+]=[N-] methyl azide; C=CCN=[N+]=[N-] allyl azide;
        N#[N+]c1ccccc1 benzenediazonium; Cc1ccc(cc1)[N+]#N 4-methylbenzenediazonium
    """,
    "bonds of nitrogen with oxygen or a halogen": """
        NO hydroxylamine; C1CCON1 1,2-oxazolidine; CN1CCCO1 2-methyl-1,2-oxazolidine; C1CC=NO1 4,5-dihydro-1,2-oxazole;
        CC(C)=NO acetone oxime; CN(C)N=O N,N-dimethylnitrous amide; CCN(C)N=O N-ethyl-N-methylnitrous amide;
        CCN(CC)N=O N,N-diethylnitrous amide; C[N+]([O-])=O nitromethane; CC[N+]([O-])=O nitroethane;
        C=C[N+]([O-])=O nitroethene; [O-][N+](=O)c1ccccc1 nitrobenzene; N[N+]([O-])=O nitramide;
        CN(C)[N+]([O-])=O N,N-dimethylnitramide; C=C[N+](=C)[O-] N-ethenylmethanimine oxide;
        CC#[N+][O-] acetonitrile oxide; FNF difluoroamine; F[n+]1ccccc1 1-fluoropyridin-1-ium; NCl chloroamine;
        CN(C)Cl N-chloro-N-methylmethanamine; NBr bromoamine; O=C1CCC(=O)N1Br N-bromosuccinimide;
        CN(C)I N-iodo-N-methylmethanamine; O=C1CCC(=O)N1I N-iodosuccinimide
    """,
    "thiols, sulfides and thiocarbonyls": """
        S hydrogen sulfide; CS methanethiol; C=CS ethenethiol; CC(=O)S thioacetic S-acid; CC([O-])=S thioacetate;
        CSC dimethyl sulfide; C1CCSC1 tetrahydrothiophene; C=CSC=C divinyl sulfide; CSc1ccccc1 thioanisole;
        CSC#C (methylsulfanyl)ethyne; CSSC dimethyl disulfide; C[S+](C)C trimethylsulfonium;
        C=C[S+](C)C ethenyl(dimethyl)sulfonium; C[S+](C)SC dimethyl(methylsulfanyl)sulfonium;
        CSC(C)=O S-methyl ethanethioate; CSC(=O)CNC=O S-methyl 2-formamidoethanethioate; CC(N)=S ethanethioamide;
        NC(N)=S thiourea; CSNC N-methylmethanesulfenamide; CSO methanesulfenic acid; C1CCOS1 1,2-oxathiolane;
        CSCl methanesulfenyl chloride
    """,
    "sulfoxides, sulfones and sulfonic acids": """
        C=S=O methanethial S-oxide; CN=S=O N-sulfinylmethanamine; CN=S=NC bis(methylimino)-lambda4-sulfane;
        CS(C)=N S,S-dimethylsulfilimine; C=S(C)C dimethyl(methylidene)-lambda4-sulfane;
        C=S(C)(C)=O dimethyl(methylidene)oxo-lambda6-sulfane; CS(C)=O dimethyl sulfoxide; CCS(=O)CC diethyl sulfoxide;
        C[S@](=O)C=C (S)-methyl vinyl sulfoxide; COS(=O)OC dimethyl sulfite; O=S(Cl)Cl thionyl dichloride;
        O=S(Br)Br thionyl dibromide; CS(C)(=O)=O dimethyl sulfone; C1CCS(=O)(=O)C1 thiolane 1,1-dioxide;
        C=CS(C)(=O)=O methyl vinyl sulfone; CS(C)(=N)=O S,S-dimethylsulfoximine; CS([O-])(=O)=O methanesulfonate;
        COS(C)(=O)=O methyl methanesulfonate; CS(F)(=O)=O methanesulfonyl fluoride;
        CS(Br)(=O)=O methanesulfonyl bromide; CS(I)(=O)=O methanesulfonyl iodide; CCS(=O)(=O)I ethanesulfonyl iodide;
        CC(C)N=S=NC(C)C bis(propan-2-ylimino)-lambda4-sulfane; O=S(F)F thionyl difluoride
    """,
    "amides of sulfur acids": """
        CS(N)(=O)=O methanesulfonamide; CNS(C)(=O)=O N-methylmethanesulfonamide;
        C=CS(=O)(=O)NC N-methylethenesulfonamide; NS(=O)(=O)c1ccccc1 benzenesulfonamide;
        C=CNS(=O)(=O)C=C N-ethenylethenesulfonamide; CS(=O)(=O)n1cccn1 1-(methanesulfonyl)-1H-pyrazole;
        NC(N)=NS(C)(=O)=O N-(diaminomethylidene)methanesulfonamide; O=C=NS(C)(=O)=O methanesulfonyl isocyanate;
        CC(=O)[N-]S(C)(=O)=O acetyl(methanesulfonyl)azanide;
        CS/C(N)=N/S(C)(=O)=O methyl (E)-N'-(methanesulfonyl)carbamimidothioate;
        CSC(SC)=NS(C)(=O)=O N-[bis(methylsulfanyl)methylidene]methanesulfonamide;
        C[S@](=O)NC (S)-N-methylmethanesulfinamide; C=C[S@](=O)NC (S)-N-methylethenesulfinamide;
        C[S@](=O)N=C (S)-N-methylidenemethanesulfinamide; C[S@](=O)NN=C (S)-N'-methylidenemethanesulfinohydrazide;
        CC(=O)N[S@](C)=O (S)-N-(methanesulfinyl)acetamide; CC(=O)N[S@@](=O)C=C (S)-N-(ethenesulfinyl)acetamide
    """,
    "phosphorus": """
        P phosphane; CP methylphosphane; CP(C)C trimethylphosphane; C=CP(C)C ethenyl(dimethyl)phosphane;
        CP(C)CP(C)C methylenebis(dimethylphosphane); CP(C)(C)=O trimethylphosphane oxide;
        CP(C)(C)=S trimethylphosphane sulfide; OP(O)(O)=O phosphoric acid; COP(OC)OC trimethyl phosphite;
        COP(=O)(OC)OC trimethyl phosphate; COP([O-])(=O)OC dimethyl phosphate; CP(O)(O)=O methylphosphonic acid;
        COP(C)(=O)OC dimethyl methylphosphonate; C=CP(O)(O)=O ethenylphosphonic acid;
        COP(=S)(OC)SC O,O,S-trimethyl phosphorodithioate; CSP(C)C methyl dimethylphosphinothioite;
        FP(F)F trifluorophosphane; CP(F)(F)=O methylphosphonic difluoride; ClP(Cl)Cl trichlorophosphane;
        CP(C)Cl chloro(dimethyl)phosphane; BrP(Br)Br tribromophosphane; CP(Br)Br dibromo(methyl)phosphane;
        IP(I)I triiodophosphane; CP(C)I iodo(dimethyl)phosphane; COP(N)(=O)OC dimethyl phosphoramidate;
        CP(C)(=O)Nc1ccccc1 P,P-dimethyl-N-phenylphosphinic amide; CC(=O)NP(C)(C)=O N-(dimethylphosphoryl)acetamide;
        N=P(C)(C)C imino(trimethyl)-lambda5-phosphane; CN=P(C)(C)C trimethyl(methylimino)-lambda5-phosphane
    """,
}


def fragments() -> list[tuple[str, str]]:
    """SMILES and name of every molecule, by number of heavy atoms, then by name."""
    entries = [entry.split(maxsplit=1) for family in FAMILIES.values() for entry in family.split(";")]
    molecules = sorted(
        (Chem.MolFromSmiles(smiles).GetNumHeavyAtoms(), name.strip(), smiles) for smiles, name in entries
    )
    return [(Chem.CanonSmiles(smiles), name) for _, name, smiles in molecules]


def main() -> None:
    for smiles, name in fragments():
        sys.stdout.write(f"{smiles}\t{name}\n")


if __name__ == "__main__":
    main()
