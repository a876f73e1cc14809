"""Shared weights as one module: θ registered once, its sites expanded in the forward pass.

A layer that ties weights does not hold copies or aliases of a parameter. It holds, or refers to, one `Shared`: the only
owner of the free parameters θ, which makes the sites φ = Aθ + b when it is called. Autograd then pools the gradients,
dL/dθ = Aᵀ dL/dφ, with no backward code; optimizers, `state_dict`, `deepcopy`, `to`, `functional_call` and every other
tool that walks over parameters sees θ once, under one name.

Two rules keep this exact and fast. θ and the gather stay in float32 (or wider) and sites are cast afterwards, because
gradients summed over many sites in half precision are wrong by tens of percent. And a model with one `Shared` at
several places expands it once in its forward pass and hands the sites down.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.nn import init
from ffshare.nn.index_arrays import NAMES, as_tensor, consecutive, index_arrays
from ffshare.nn.tie_counts import Counts, counts_of
from ffshare.tying import LinearTying, Parametrization, multiply_accumulate
from ffshare.tying.kernels import add

Shape = tuple[int, ...]


class Site:
    """One place where a `Shared` is used: a reference that does not register the parameters a second time.

    A module may keep it as an attribute; whoever owns the `Shared` registers it, once. Copying a whole model keeps the
    tie, since the reference is copied with it; a copy of the module of one place alone has parameters of its own.

    Args:
        shared: The owner.
        name: Name of the place, as the owner has it.
        transposed: Whether the last two axes are exchanged.

    Example:
        >>> shared = Shared(LinearTying.identity(6), {"encoder": (2, 3)})
        >>> shared.site("encoder").T().shape
        torch.Size([3, 2])
    """

    __slots__ = ("name", "shared", "transposed")

    def __init__(self, shared: "Shared", name: str, transposed: bool = False) -> None:
        self.shared = shared
        self.name = name
        self.transposed = transposed

    def __call__(self) -> Tensor:
        """The values here, expanded anew."""
        sites = self.shared.sites(self.name)
        return sites.mT if self.transposed else sites

    @property
    def T(self) -> "Site":  # noqa: N802 - as tensors call it
        """The same place, read with its last two axes exchanged."""
        return Site(self.shared, self.name, not self.transposed)

    @property
    def shape(self) -> Shape:
        """Shape of the values."""
        shape = self.shared.shapes[self.name]
        return (*shape[:-2], shape[-1], shape[-2]) if self.transposed else shape


class Shared(nn.Module):
    r"""Free parameters :math:`\theta` that feed many sites.

    .. math::
        \phi = A\theta + b, \qquad
        \frac{\partial L}{\partial \theta} = A^{\mathsf T} \frac{\partial L}{\partial \phi}

    Args:
        tying: Which free parameter feeds which site: a `LinearTying`, or a smooth `Parametrization`.
        shape: Shape of the sites, or the shapes of several places by name; their sites follow each other.
            Default: ``(n_site, *block)``.
        theta: Values to start from. Default: drawn by `reset_parameters`.
        block: Shape of what is shared in one piece. Sites and free parameters of the tying are then blocks of this
            shape, which fill the places in their order. Default: one number.
        device: Device of the parameters.
        dtype: Type of the sites. Parameters of a narrower type than float32 are kept in float32.

    Shape:
        - Output: ``shape``, or a dict of name to tensor where several places have names.

    Attributes:
        theta (Parameter): the free parameters, :math:`(n_\text{free}, *\text{block})`, alone in the ``state_dict``.
        tying: the map, which never changes.
        counts: free parameters, sites, and the rank.

    Raises:
        TyingError: The shapes do not hold as many sites as the tying has.

    Example:
        >>> kernel = Shared(LinearTying.groups([0, 1, 0, 1]), (2, 2), theta=[1.0, 5.0])
        >>> kernel
        Shared((2, 2), free=2, sites=4, rank=2)
        >>> kernel().sum().backward()
        >>> kernel.theta.grad
        tensor([2., 2.])
    """

    rows: Tensor | None
    free: Tensor | None
    coef: Tensor | None
    offset: Tensor | None

    def __init__(
        self,
        tying: LinearTying | Parametrization,
        shape: Shape | Mapping[str, Shape] | None = None,
        *,
        theta: ArrayLike | Tensor | None = None,
        block: Shape = (),
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.tying = tying
        self.block = tuple(block)
        one = (tying.n_site, *self.block) if shape is None else shape
        self.shape: Shape | dict[str, Shape] = (
            {name: tuple(each) for name, each in one.items()} if isinstance(one, Mapping) else tuple(one)
        )
        self.site_dtype = torch.get_default_dtype() if dtype is None else dtype
        self._places = self._places_of(self.shapes)
        self._counts: Counts | None = None
        kind = torch.promote_types(self.site_dtype, torch.float32)
        self.theta = nn.Parameter(torch.empty((tying.n_free, *self.block), device=device, dtype=kind))
        for name, values in index_arrays(tying).items():
            self.register_buffer(name, as_tensor(values, self.theta.device, kind), persistent=False)
        if theta is None:
            self.reset_parameters()
        else:
            with torch.no_grad():
                self.theta.copy_(torch.as_tensor(theta, dtype=kind).reshape(self.theta.shape))

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shape of each place by name, in the order of their sites; "" where there is one without a name."""
        return self.shape if isinstance(self.shape, dict) else {"": self.shape}

    @property
    def counts(self) -> Counts:
        """Free parameters, sites, and the rank: the independent directions in which the sites can move."""
        if self._counts is None:
            self._counts = counts_of(self.tying) * math.prod(self.block)
        return self._counts

    def reset_parameters(self) -> None:
        """Draw θ so that every site has the variance that a `torch.nn.Linear` of its shape starts with.

        Places of one axis, as biases are, start at zero where they share nothing with others.
        """
        if isinstance(self.tying, LinearTying) and all(len(shape) < 2 for shape in self.shapes.values()):
            nn.init.zeros_(self.theta)
        else:
            init.kaiming_uniform_(self.theta, self.tying, self.shapes, a=math.sqrt(5))

    def forward(self, name: str | None = None) -> Any:
        """All sites, expanded once: a tensor, or a dict of tensors where the places have names.

        Args:
            name: Name of a place, to expand its sites only.

        Returns:
            The sites.

        Raises:
            TyingError: There is no place of that name.
        """
        if name is not None:
            return self._expand(*self._place(name)).reshape(self.shapes[name])
        phi = self._expand(slice(0, self.tying.n_site), slice(None))
        if not isinstance(self.shape, dict):
            return phi.reshape(self.shape)
        # Split, and not sliced: the gradients of slices would each be as large as all sites.
        pieces = phi.split([sites.stop - sites.start for sites, _ in self._places.values()])
        return {place: piece.reshape(shape) for (place, shape), piece in zip(self.shape.items(), pieces, strict=True)}

    def sites(self, name: str = "") -> Tensor:
        """The sites of one place, and only those, expanded anew: ``forward(name)``, called as hooks want it."""
        return self(name)

    def site(self, name: str = "") -> Site:
        """A reference to one place, for the module that uses it.

        Args:
            name: Name of the place.

        Returns:
            The reference.

        Raises:
            TyingError: There is no place of that name.
        """
        self._place(name)
        return Site(self, name)

    @torch.no_grad()
    def tie_(self, phi: ArrayLike | Tensor) -> Self:
        """Set θ to the parameters whose sites come closest to given ones: for groups, their means.

        Args:
            phi: Sites, flat in their order or of the shape of the sites.

        Returns:
            Itself.
        """
        values = phi.detach().cpu().double().numpy() if isinstance(phi, Tensor) else np.asarray(phi, dtype=np.float64)
        self.theta.copy_(torch.as_tensor(self.tying.tie(values.reshape(self.tying.n_site, *self.block))))
        return self

    def extra_repr(self) -> str:
        """Shape and counts."""
        return f"{self.shape}, {self.counts}"

    def _places_of(self, shapes: Mapping[str, Shape]) -> dict[str, tuple[slice, slice]]:
        """Where the sites of each place, counted in blocks, and their entries lie."""
        width = max(math.prod(self.block), 1)
        sizes = [math.prod(each) for each in shapes.values()]
        if sum(sizes) != self.tying.n_site * width or any(size % width for size in sizes):
            feeds = f"{self.tying.n_site}{f' of {self.block}' if self.block else ''}"
            raise TyingError(f"the shapes {self.shape} hold {sum(sizes)} sites, but the tying has {feeds}")
        return dict(zip(shapes, consecutive(self.tying, [size // width for size in sizes]), strict=True))

    def _place(self, name: str) -> tuple[slice, slice]:
        """Where the sites of a place and their entries lie."""
        if name not in self._places:
            raise TyingError(f"there is no place {name!r}; there are {', '.join(map(repr, self._places))}")
        return self._places[name]

    def _expand(self, sites: slice, entries: slice) -> Tensor:
        """Some sites, which have these entries, in their type."""
        theta = self.theta
        if not isinstance(self.tying, LinearTying):
            return self.tying.expand(theta)[sites].to(self.site_dtype)
        if self.free is None:
            phi = theta if sites.stop - sites.start == len(theta) else theta[sites]
        else:
            rows = None if self.rows is None else self.rows[entries]
            if rows is not None and sites.start:
                rows = rows - sites.start
            coef = None if self.coef is None else self.coef[entries]
            phi = multiply_accumulate(rows, self.free[entries], coef, theta, sites.stop - sites.start)
        if self.offset is not None:
            phi = add(phi, self.offset[sites])
        return phi.to(self.site_dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What `to`, `half`, `to_empty` and their like go through.

        Sites take the new type, θ and the factors only a wide one. Index arrays that must move are made anew from the
        tying: factors lose no digits on the way to float32 and back, and memory taken anew is filled.
        """
        self.site_dtype = fn(torch.empty(0, dtype=self.site_dtype, device="cpu")).dtype
        before = self._index_buffers()

        def widely(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            wide = torch.promote_types(moved.dtype, torch.float32) if moved.is_floating_point() else moved.dtype
            return moved if wide == moved.dtype else tensor.to(device=moved.device, dtype=wide)

        super()._apply(widely, recurse)
        for name, buffer in before.items():
            moved = self._buffers[name]
            self._remake(name, buffer, moved.device, moved.dtype)
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Loading with ``assign=True`` brings the device and the type of the checkpoint; θ stays wide all the same."""
        super()._load_from_state_dict(*args, **kwargs)
        theta = self.theta
        if theta is None:  # Taken out, to be given in a functional call.
            return
        wide = torch.promote_types(theta.dtype, torch.float32)
        if wide != theta.dtype:
            self.theta = nn.Parameter(theta.detach().to(wide), theta.requires_grad)
        for name, buffer in self._index_buffers().items():
            self._remake(name, buffer, theta.device, wide if buffer.is_floating_point() else buffer.dtype)

    def _index_buffers(self) -> dict[str, Tensor]:
        """The index arrays that there are."""
        return {name: self._buffers[name] for name in NAMES if self._buffers[name] is not None}

    def _remake(self, name: str, buffer: Tensor, device: torch.device, dtype: torch.dtype) -> None:
        """Register an index array again on this device and of this type: the same one where it is so already."""
        is_so = (buffer.device, buffer.dtype) == (device, dtype)
        setattr(self, name, buffer if is_so else as_tensor(index_arrays(self.tying)[name], device, dtype))
