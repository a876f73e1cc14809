"""An embedding whose rows share few parameters by hash; see `ffshare.nn.hashed` for the method.

A vocabulary has many rows, of which a batch asks for few. The layer therefore never makes the whole table: it reads
the buckets of the rows asked for, and gathers those.

What is hashed is a chunk, some neighbouring entries of a row, and a bucket holds as many numbers. One entry a chunk is
the scheme of Chen et al. Longer chunks lose as much on average, and make it pay: memory is read in runs, and not number
by number, and the places of chunks take a small part of the room that the table would. Chunks of whole rows go too far:
words would be the same, up to sign.

Reference:
    Desai, Chou and Shrivastava, Random offset block embedding (ROBE), MLSys 2022, arXiv:2108.02191 (chunks).
"""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.nn.hashed import Hashed
from ffshare.tying import multiply_accumulate

SHORTEST_CHUNK = 16
"""Shortest chunk taken by itself, but for single entries: below, torch adds up rows one by one."""

LONGEST_CHUNK = 32
"""Longest chunk taken by itself: with signs, as fast as a plain embedding."""


class HashedEmbedding(Hashed):
    r"""A `torch.nn.Embedding` whose rows share few parameters by a hash of the place.

    .. math::
        W_{v,\,cm + i} = \xi(v, m)\,\theta_{h(v, m),\,i}, \qquad 0 \le i < c

    with chunks of :math:`c` entries.

    Args:
        num_embeddings: Number of rows.
        embedding_dim: Length of a row.
        padding_idx: A row that is zero and gets no gradient.
        max_norm: Not available: it would rescale rows in place, and with them whatever shares their parameters.
        norm_type: As for `torch.nn.Embedding`; only for `max_norm`.
        scale_grad_by_freq: Not available: a parameter is used by rows of several frequencies.
        sparse: Not available: a row has parameters all over θ. The gradient of θ is as small as θ.
        device: Device of the parameters.
        dtype: Type of the rows.
        compression: Free parameters for each entry of the table. Above 1 there are more buckets than chunks, which is
            of use only to study collisions.
        seed: Seed of the hash. Layers of one model take different ones, or their collisions repeat.
        signed: Whether chunks have random signs, so that those of a bucket do not lean to one side.
        balanced: Whether the sizes of buckets differ by one at most: least collisions.
        chunk: Length of the pieces of a row that are hashed, a divisor of `embedding_dim`. Default: that of
            `usual_chunk`.

    Shape:
        - Input: :math:`(*)`, whole numbers from 0 to ``num_embeddings - 1``
        - Output: :math:`(*, \text{embedding\_dim})`

    Attributes:
        shared (Shared): owner of the parameters :math:`\theta`, :math:`(K, c)`, ``shared.theta`` in the
            ``state_dict``. They start with the standard normal distribution, and so do the rows, as those of a
            `torch.nn.Embedding` do.
        weight: the whole table, expanded anew; `forward` does without.

    Raises:
        TyingError: An option is not available, or the chunk does not divide the row.

    Example:
        >>> layer = HashedEmbedding(1000, 64, padding_idx=0, compression=1 / 8)
        >>> layer(torch.tensor([[1, 5], [0, 999]])).shape
        torch.Size([2, 2, 64])
        >>> {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
        {'shared.theta': (250, 32)}
    """

    __constants__: ClassVar[tuple[str, ...]] = (
        *Hashed.__constants__,
        "chunk",
        "embedding_dim",
        "num_embeddings",
        "padding_idx",
    )

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        compression: float = 1 / 8,
        seed: int = 0,
        signed: bool = True,
        balanced: bool = False,
        chunk: int | None = None,
    ) -> None:
        refused = {"max_norm": max_norm is not None, "scale_grad_by_freq": scale_grad_by_freq, "sparse": sparse}
        asked = [name for name, is_asked in refused.items() if is_asked]
        if asked:
            raise TyingError(
                f"rows that share parameters cannot have {' or '.join(asked)}, which treats each row on its own: "
                "leave it out, or use torch.nn.Embedding"
            )
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise TyingError(f"padding_idx is {padding_idx}, but there are {num_embeddings} rows")
            padding_idx %= num_embeddings
        length = usual_chunk(embedding_dim) if chunk is None else chunk
        if length < 1 or embedding_dim % length:
            raise TyingError(f"chunk is {length}, expected a divisor of embedding_dim, which is {embedding_dim}")
        n_row = embedding_dim // length
        super().__init__(
            (num_embeddings, embedding_dim),
            compression,
            seed,
            signed,
            balanced,
            block=() if length == 1 else (length,),
            fixed=None if padding_idx is None else slice(padding_idx * n_row, (padding_idx + 1) * n_row),
            device=device,
            dtype=dtype,
        )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.chunk = length
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw θ from the distribution that `torch.nn.Embedding` starts with: normal, of variance 1."""
        nn.init.normal_(self.shared.theta)

    def forward(self, input: Tensor) -> Tensor:
        """The rows asked for."""
        rows = input.reshape(-1)
        free = self._of_rows(self.shared.free, rows)
        coef = self._of_rows(self.shared.coef, rows)
        if free is None:  # as many buckets as chunks, each in its place
            phi = self.weight.index_select(0, rows)
        else:
            phi = multiply_accumulate(None, free, coef, self.shared.theta, free.numel()).to(self.shared.site_dtype)
        return phi.reshape(*input.shape, self.embedding_dim)

    def _of_rows(self, values: Tensor | None, rows: Tensor) -> Tensor | None:
        """What an index array of the table holds for some of its rows."""
        if values is None:
            return None
        by_row = values.view(self.num_embeddings, self.embedding_dim // self.chunk)
        return by_row.index_select(0, rows).reshape(-1)

    @classmethod
    def from_embedding(
        cls,
        embedding: nn.Embedding,
        compression: float = 1 / 8,
        *,
        seed: int = 0,
        signed: bool = True,
        balanced: bool = False,
        chunk: int | None = None,
    ) -> Self:
        """The closest hashed layer: parameters are the averages of their buckets.

        Args:
            embedding: The layer to come close to, not changed. Its padding row must be zero.
            compression: As for the class, and so are the rest.
            seed: Seed of the hash.
            signed: Whether chunks have random signs.
            balanced: Whether the sizes of buckets differ by one at most.
            chunk: Length of the pieces of a row that are hashed.

        Returns:
            The layer, on the device and of the type of the other.

        Raises:
            TyingError: The embedding has an option that is not available, or a padding row that is not zero.
        """
        layer = cls(
            embedding.num_embeddings,
            embedding.embedding_dim,
            embedding.padding_idx,
            embedding.max_norm,
            embedding.norm_type,
            embedding.scale_grad_by_freq,
            embedding.sparse,
            embedding.weight.device,
            embedding.weight.dtype,
            compression=compression,
            seed=seed,
            signed=signed,
            balanced=balanced,
            chunk=chunk,
        )
        if layer.padding_idx is not None and embedding.weight[layer.padding_idx].any():
            raise TyingError(
                f"row {layer.padding_idx} is for padding but not zero, as it is in a hashed embedding: "
                "set it to zero, or give the embedding no padding_idx"
            )
        layer.shared.tie_(embedding.weight)
        layer.train(embedding.training)
        return layer

    def to_embedding(self) -> nn.Embedding:
        """The plain layer with the same table, which computes exactly the same.

        Returns:
            The layer, which shares nothing, neither within nor with this one.
        """
        weight = self.weight.detach()
        embedding = nn.utils.skip_init(
            nn.Embedding,
            self.num_embeddings,
            self.embedding_dim,
            self.padding_idx,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            embedding.weight.copy_(weight)
        return embedding.train(self.training)

    def extra_repr(self) -> str:
        """Sizes, how the table is hashed, and the counts of its parameters."""
        padding = "" if self.padding_idx is None else f"padding_idx={self.padding_idx}, "
        return f"{self.num_embeddings}, {self.embedding_dim}, {padding}chunk={self.chunk}, {self.options}"


def usual_chunk(embedding_dim: int) -> int:
    """The longest chunk of 16 to 32 entries that divides a row into two pieces or more.

    Args:
        embedding_dim: Length of a row.

    Returns:
        Its length; 1 where there is none.

    Example:
        >>> usual_chunk(64), usual_chunk(300), usual_chunk(32), usual_chunk(20)
        (32, 30, 16, 1)
    """
    longest = min(LONGEST_CHUNK, embedding_dim // 2)
    return max((length for length in range(SHORTEST_CHUNK, longest + 1) if embedding_dim % length == 0), default=1)
