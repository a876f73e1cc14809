"""Work for other processes that share a cache."""

from ffshare.assign import load_scheme
from ffshare.assign.library import LabelCache, Labeller
from ffshare.molecules import Entry


def entries(texts, first=0):
    """Entries of some texts, each with a name of its own."""
    return [
        Entry(index=first + i, path="in.smi", line=i + 1, name=f"m{i}", kind="smiles", text=text)
        for i, text in enumerate(texts)
    ]


def labels_of(folder, texts):
    """The labels of each text, by way of a cache."""
    cache = LabelCache(folder=folder, salt="one", most_bytes=10**9)
    labeller = Labeller(scheme=load_scheme("alkethoh-smirks"), cache=cache)
    return [labeller(entries([text])).labels.to_pylist() for text in texts]
