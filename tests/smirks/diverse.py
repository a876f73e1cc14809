"""Molecules kept for tests: small, and between them most of what SMARTS can ask about."""

import random

# Name to SMILES.
DIVERSE = {
    # Drugs and natural products.
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "penicillin G": "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
    "morphine": "CN1CC[C@]23[C@@H]4[C@H]1Cc5ccc(O)c(O4)c5[C@@H]2[C@H](C=C3)O",
    "strychnine": "O=C1C[C@@H]2OCC=C3CN4CC[C@]56[C@H]4C[C@H]3[C@H]2[C@H]5N1c1ccccc16",
    "glucose": "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "sildenafil fragment": "CCCc1nn(C)c2c1nc([nH]c2=O)-c1ccccc1",
    "sulfamethoxazole": "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1",
    "zwitterionic glutathione": "[NH3+][C@@H](CCC(=O)N[C@@H](CS)C(=O)NCC([O-])=O)C([O-])=O",
    # Aromatic systems, by the MDL model and not.
    "pyridine N-oxide": "[O-][n+]1ccccc1",
    "N-methylpyridinium": "C[n+]1ccccc1",
    "furan": "c1ccoc1",
    "tetrazole": "Cc1nn[nH]n1",
    "azulene": "c1ccc2cccc2cc1",
    "pyrene": "c1cc2ccc3cccc4ccc(c1)c2c34",
    "benzimidazole": "c1ccc2[nH]cnc2c1",
    "biphenylene": "c1ccc2c(c1)c1ccccc12",
    "4-pyridone": "O=c1cc[nH]cc1",
    "tropylium": "c1cc[cH+]ccc1",
    "cyclopentadienyl anion": "c1cc[cH-]c1",
    "biphenyl with a ring bond and a bond between rings": "Fc1ccccc1-c1ccncc1",
    # Cages, small rings, macrocycles, spiro.
    "cubane": "C12C3C4C1C5C2C3C45",
    "prismane": "C12C3C1C1C2C31",
    "tetrahedrane": "C12C3C1C23",
    "bicyclobutane": "C1C2CC12",
    "cyclopropane": "C1CC1",
    "cyclobutane": "C1CCC1",
    "bicyclo[2.2.2]octane": "C1CC2CCC1CC2",
    "norbornadiene": "C1C2C=CC1C=C2",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "hexamethylenetetramine": "C1N2CN3CN1CN(C2)C3",
    "spiropentane": "C1CC12CC2",
    "spiro ketal": "C1CCC2(CC1)OCCO2",
    "15-crown-5": "C1COCCOCCOCCOCCO1",
    "cyclophane": "C1Cc2ccc(cc2)CCc2ccc1cc2",
    "aziridine and epoxide": "C1OC1CN1CC1",
    # Stereochemistry: defined, undefined, of rings, of double bonds.
    "bromochlorofluoromethane": "F[C@H](Cl)Br",
    "undefined centre": "FC(Cl)Br",
    "tartaric acid, meso": "OC(=O)[C@H](O)[C@@H](O)C(=O)O",
    "threonine with one undefined centre": "C[C@@H](O)C(N)C(=O)O",
    "4-methylcyclohexanol, trans": "C[C@H]1CC[C@@H](O)CC1",
    "sulfoxide": "C[S@](=O)CC",
    "E-but-2-ene": "C/C=C/C",
    "Z-but-2-ene": "C/C=C\\C",
    "undefined double bond": "CC=CC",
    "diene": "C/C=C/C=C\\C(=O)O",
    "tetrasubstituted double bond": "C/C(F)=C(/Cl)Br",
    "oxime": "C/C=N/O",
    "azobenzene": "c1ccccc1/N=N\\c1ccccc1",
    "cyclooctene": "C1CCC/C=C\\CC1",
    # Unusual bonds and valences.
    "allene": "CC=C=CC",
    "ketene": "C=C=O",
    "propyne": "CC#C",
    "azide": "CN=[N+]=[N-]",
    "diazomethane": "C=[N+]=[N-]",
    "isocyanide": "C[N+]#[C-]",
    "nitro as two double bonds": "CN(=O)=O",
    "nitro, charge-separated": "c1ccccc1[N+](=O)[O-]",
    "amine oxide": "C[N+](C)(C)[O-]",
    "phosphate": "COP(=O)([O-])OC",
    "phosphorus ylide": "CP(C)(C)=C",
    "phosphonium": "C[P+](C)(C)C",
    "sulfur hexafluoride": "FS(F)(F)(F)(F)F",
    "sulfoximine": "CS(C)(=N)=O",
    "thiophene dioxide": "O=S1(=O)C=CC=C1",
    "periodate": "O=I(=O)(=O)[O-]",
    "borate": "F[B-](F)(F)F",
    "silane": "C[Si](C)(C)O[SiH3]",
    # Hydrogens, isotopes, ions, several components.
    "hydrogen": "[H][H]",
    "water with its hydrogens": "[H]O[H]",
    "methanol with some of its hydrogens": "[H]OC([H])",
    "deuterated ethanol": "[2H]C([2H])C[18OH]",
    "labelled benzene": "[13cH]1ccccc1",
    "proton": "[H+]",
    "helium": "[He]",
    "ammonium chloride": "[NH4+].[Cl-]",
    "zinc acetate": "[Zn+2].CC(=O)[O-].CC(=O)[O-]",
    "two waters and a sodium ion": "O.[Na+].O",
    "hydride": "[H-].[Li+]",
    "ferrocene as ions": "[cH-]1cccc1.[cH-]1cccc1.[Fe+2]",
}

_CORES = (
    "C{}C{}",
    "c1c{}cc{}cc1",
    "N{}C(=O)C{}",
    "C1CC{}N(C{})C1",
    "c1c{}[nH]c2c1cc{}cc2",
    "S(=O)(=O)(C{})N{}",
    "C(={})C{}",
    "[C@H]{}(F)C{}",
    "C/C{}=C/C{}",
    "C1{}OC1{}",
    "n1c{}nc{}cc1",
)
_SUBSTITUENTS = (
    *("", "(C)", "(O)", "(N)", "(F)", "(Cl)", "(=O)", "(C#N)", "(C(=O)[O-])", "([N+](=O)[O-])", "(C(C)(C)C)"),
    *("(c7ccccc7)", "(C7CC7)", "([NH3+])", "(OC)", "([2H])", "(SC)", "(C=C)", "([C@@H](O)C)", "(P(=O)(O)O)"),
)


def assembled(rng: random.Random) -> str:
    """A random SMILES of a core with two substituents. Not every one is a molecule."""
    return rng.choice(_CORES).format(rng.choice(_SUBSTITUENTS), rng.choice(_SUBSTITUENTS))
