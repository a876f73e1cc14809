"""What holds exactly of shared keys and values, whatever has been learned.

Besides counts, parity with torch and the causal mask there is one statement of what a model can represent. With one
head, the scores of attention are x W_Qᵀ W_K yᵀ and what it adds is y W_Vᵀ W_Oᵀ: only products count, so that any
invertible W_K and W_V will do for all modules,

    W_Q' = W_K'⁻ᵀ W_Kᵀ W_Q,        W_O' = W_O W_V W_V'⁻¹,

and sharing them costs nothing. With h heads, what a head of d/h dimensions looks at and hands on must be the same d/h
dimensions in every module, and that can cost something.
"""

import copy

import torch
from torch import nn

from ffshare.nn.reproduce.outcome import Check, at_least, at_most, near
from ffshare.nn.reproduce.seeds import seeded
from ffshare.nn.reproduce.transformer.sequences import LETTERS, draw
from ffshare.nn.reproduce.transformer.training import Size, translator
from ffshare.nn.reproduce.transformer.translator import Translator
from ffshare.nn.transformer import TiedTransformer

FULL_SIZE = Size(d_model=64)


def exact_checks() -> list[Check]:
    """All of them, at the full size."""
    untied, tied = (translator(FULL_SIZE, share, 0) for share in ("none", "kv-all"))
    return [parity_check(), *count_checks(untied, tied), *leak_checks(tied), one_head_check()]


@torch.no_grad()
def parity_check() -> Check:
    """The layer with nothing shared against that of torch."""
    with seeded(1):
        sequences = [torch.randn(3, n, 16, dtype=torch.float64) for n in (7, 5)]
        layers = [
            TiedTransformer(16, 4, 2, 2, 32, 0.0, batch_first=True, dtype=torch.float64, share=share)
            for share in ("none", "kv-stack", "kv-all")
        ]
        for layer in layers:
            for name, parameter in layer.named_parameters():
                if "bias" in name:
                    nn.init.normal_(parameter)
    is_filled = torch.arange(7) >= torch.tensor([[7], [5], [2]])
    masks = {
        "tgt_mask": torch.ones(5, 5, dtype=torch.bool).triu(1),
        "src_key_padding_mask": is_filled,
        "memory_key_padding_mask": is_filled,
    }
    differences = [layer(*sequences, **masks) - layer.to_transformer()(*sequences, **masks) for layer in layers]
    return at_most(
        "a Transformer with shared keys and values computes what torch's does when the projections of all its "
        "modules are equal, and with nothing shared it is torch's (largest difference)",
        1e-12,
        max(float(each.abs().max()) for each in differences),
    )


def count_checks(untied: Translator, tied: Translator) -> list[Check]:
    """How many numbers are stored and learned.

    Args:
        untied: The model of full size with nothing shared.
        tied: The same with one W_K and one W_V.

    Returns:
        The checks.
    """
    stored = tied.state_dict()
    n_kv = sum(each.numel() for name, each in stored.items() if ".kv_" in name)
    return [
        near(
            "the model without sharing has this many parameters",
            169_472,
            sum(each.numel() for each in untied.parameters()),
            0,
        ),
        near(
            "with one W_K and one W_V for all six attention modules, this many are left",
            128_512,
            sum(each.numel() for each in tied.parameters()),
            0,
        ),
        near(
            "a checkpoint of the shared model holds each parameter once (numbers in it)",
            128_512,
            sum(each.numel() for each in stored.values()),
            0,
        ),
        near(
            "a checkpoint of the shared model holds one W_K and one W_V (matrices of d × d)",
            2,
            n_kv / tied.transformer.d_model**2,
            0,
        ),
    ]


@torch.no_grad()
def leak_checks(model: Translator) -> list[Check]:
    """Whether an output knows of signs that are written later.

    Args:
        model: Any model of letters.

    Returns:
        The checks.
    """
    pairs = draw("copy", 8, (10, 10), torch.Generator().manual_seed(3))
    written = pairs.target[:, :-1]
    model = copy.deepcopy(model).double()
    scores = model(pairs.source, written)
    before, after = [], []
    for place in range(1, written.shape[1]):
        changed = written.clone()
        changed[:, place] = (changed[:, place] + 1) % LETTERS
        difference = (model(pairs.source, changed) - scores).abs().amax(dim=(0, 2))
        before.append(float(difference[:place].max()))
        after.append(float(difference[place:].min()))
    return [
        at_most(
            "changing a sign that is written later changes no score of what comes before it (largest difference)",
            1e-12,
            max(before),
        ),
        at_least("and it does change every score from there on (smallest difference)", 1e-6, min(after)),
    ]


@torch.no_grad()
def one_head_check() -> Check:
    """A model of one head, and the same with one W_K and one W_V."""
    with seeded(2):
        untied = TiedTransformer(16, 1, 2, 2, 32, 0.0, bias=False, dtype=torch.float64, share="none")
        source, target = (torch.randn(n, 3, 16, dtype=torch.float64) for n in (7, 5))
        tied = with_one_pair(untied)
    return at_most(
        "a Transformer of one head can be rewritten with one W_K and one W_V for all modules, and computes the same "
        "(largest difference)",
        1e-9,
        float((tied(source, target) - untied(source, target)).abs().max()),
    )


@torch.no_grad()
def with_one_pair(untied: TiedTransformer) -> TiedTransformer:
    """The model with shared W_K and W_V that computes the same as one of one head.

    Args:
        untied: A model with one head, without biases, nothing shared.

    Returns:
        The model, whose W_K and W_V are new random ones.
    """
    options = {name: getattr(untied, name) for name in ("dropout", "norm_first", "batch_first")}
    sizes = (untied.d_model, 1, untied.num_encoder_layers, untied.num_decoder_layers, untied.dim_feedforward)
    tied = TiedTransformer(*sizes, **options, bias=False, dtype=untied.kv_weight.theta.dtype, share="kv-all")
    state = untied.state_dict()
    state["kv_weight.theta"] = tied.kv_weight.theta
    new_k, new_v = tied.kv_weight.theta
    for path, kv in untied.kv_weight().items():
        k, v = kv.chunk(2)
        q, out = state[f"{path}.q_proj.weight"], state[f"{path}.out_proj.weight"]
        state[f"{path}.q_proj.weight"] = torch.linalg.solve(new_k.mT, k.mT @ q)
        state[f"{path}.out_proj.weight"] = torch.linalg.solve(new_v, out @ v, left=False)
    tied.load_state_dict(state)
    return tied
