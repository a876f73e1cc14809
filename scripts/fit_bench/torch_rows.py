"""Residuals and their Jacobian by torch autograd, molecule by molecule, with three ways to feed the sites.

* gather: the parameters of a molecule are picked by index;
* sparse: a sparse matrix, sites by parameters, is multiplied with them;
* dense: a dense one is.

Forces are minus the derivative of the energy by the positions, by autograd. Of the ways to the Jacobian that torch
offers these are here: *reverse* (the energy differentiated by the parameters, of which every conformer has a copy, and
each of these derivatives by the positions, in one batch) and *forward* (tangents along the parameters through the
gradient by the positions, in one batch). A Jacobian row by row would take 60 passes a conformer where these take one a
parameter. Only parameters that the molecule has are differentiated by. torch has no derivatives of a sparse product in
a batch, so that the chain rule through that one linear map is written out.

Last, *given*: internal coordinates and their derivatives by the positions are handed to torch at no cost, which leaves
autograd the slopes of the energy alone. What is slow in a fit by autograd is then already gone.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from ffshare.fit import ReferenceMolecule
from ffshare.fit.weights import Precisions
from fit_bench.torch_energies import Places, as_tensor, coordinates, energies


class TorchMolecule(NamedTuple):
    """A molecule, ready for autograd."""

    places: Places
    x: Tensor
    """Positions [Å], shape=(3, n_atoms, n_conformers)."""
    energies: Tensor
    forces: Tensor
    """shape=(3, n_atoms, n_conformers)."""
    energy_weights: Tensor
    force_weights: Tensor
    gather: Tensor
    coefs: Tensor
    sparse: Tensor
    sparse_transposed: Tensor
    dense: Tensor
    wilson: Tensor
    """Derivatives of all internal coordinates, for `given`, shape=(n_conformers, 3 n_atoms, n_coordinates)."""
    internal: tuple[Tensor, Tensor, Tensor]

    @property
    def own(self) -> np.ndarray:
        """Its parameters."""
        return self.places.own


class Rows(NamedTuple):
    """What the model gives in a molecule, and its derivatives."""

    energies: Tensor
    forces: Tensor
    energy_jacobian: Tensor
    """shape=(n_own, n_conformers)."""
    force_jacobian: Tensor
    """shape=(n_own, 3, n_atoms, n_conformers)."""


def molecule_of(places: Places, molecule: ReferenceMolecule, precisions: Precisions) -> TorchMolecule:
    """A molecule for torch, with everything that does not depend on the parameters."""
    x = as_tensor(molecule.coords.transpose(2, 1, 0))
    order = np.argsort(places.rows)
    if not np.array_equal(places.rows[order], np.arange(places.n_fed)):
        raise SystemExit("a site is fed by several parameters: there is nothing to gather")
    dense = torch.zeros(places.n_fed, len(places.own), dtype=x.dtype)
    dense[places.rows, places.columns] = as_tensor(places.coefs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        sparse, transposed = dense.to_sparse_csr(), dense.T.contiguous().to_sparse_csr()
    return TorchMolecule(
        places=places,
        x=x,
        energies=as_tensor(molecule.energies),
        forces=as_tensor(np.transpose(molecule.forces, (2, 1, 0))),
        energy_weights=as_tensor(precisions.energies),
        force_weights=as_tensor(precisions.forces),
        gather=as_tensor(places.columns[order]),
        coefs=as_tensor(places.coefs[order])[:, None],
        sparse=sparse,
        sparse_transposed=transposed,
        dense=dense,
        wilson=_wilson(places, x),
        internal=coordinates(places, x),
    )


FEEDS: Mapping[str, Callable[[TorchMolecule, Tensor], Tensor]] = {
    "gather": lambda one, values: one.coefs * values.index_select(0, one.gather),
    "sparse": lambda one, values: torch.sparse.mm(one.sparse, values),
    "dense": lambda one, values: one.dense @ values,
}
"""From the parameters of a molecule, any number of columns of them, to what its terms are fed."""


def reverse(one: TorchMolecule, own: Tensor, feed: str) -> Rows:
    """Rows by two derivatives in reverse mode."""
    x = one.x.clone().requires_grad_()
    copies = own[:, None].expand(-1, x.shape[2]).clone().requires_grad_(feed != "sparse")
    fed = FEEDS[feed](one, copies)
    by = copies if feed != "sparse" else fed.requires_grad_()
    found = energies(one.places, coordinates(one.places, x), fed)
    (first,) = torch.autograd.grad(found.sum(), by, create_graph=True)
    (slopes,) = torch.autograd.grad(found.sum(), x, retain_graph=True)
    identity = torch.eye(len(own), dtype=own.dtype)
    if feed == "sparse":
        directions = torch.sparse.mm(one.sparse, identity).T[:, :, None].expand(-1, -1, x.shape[2])
        jacobian = torch.sparse.mm(one.sparse_transposed, first.detach())
    else:
        directions = identity[:, :, None].expand(-1, -1, x.shape[2])
        jacobian = first.detach()
    (second,) = torch.autograd.grad(first, x, directions, is_grads_batched=True)
    return Rows(found.detach(), -slopes, jacobian, -second)


def forward(one: TorchMolecule, own: Tensor, feed: str) -> Rows:
    """Rows by tangents through the gradient by the positions."""

    def model(fed: Tensor) -> tuple[Tensor, Tensor]:
        def total(x: Tensor) -> tuple[Tensor, Tensor]:
            found = energies(one.places, coordinates(one.places, x), fed[:, None])
            return found.sum(), found

        slopes, found = grad(total, has_aux=True)(one.x)
        return found, -slopes

    both = FEEDS[feed](one, torch.cat([own[:, None], torch.eye(len(own), dtype=own.dtype)], dim=1))
    fed, tangents = both[:, 0].contiguous(), both[:, 1:].T.contiguous()
    values, along = vmap(lambda tangent: jvp(model, (fed,), (tangent,)), out_dims=((None, None), (0, 0)))(tangents)
    return Rows(*values, *along)


def given(one: TorchMolecule, own: Tensor, feed: str) -> Rows:
    """Rows where internal coordinates and their derivatives by the positions are given."""
    internal = tuple(each.clone().requires_grad_() for each in one.internal)
    copies = own[:, None].expand(-1, one.x.shape[2]).clone().requires_grad_()
    found = energies(one.places, internal, FEEDS[feed](one, copies))
    (first,) = torch.autograd.grad(found.sum(), copies, create_graph=True)
    slopes = torch.autograd.grad(found.sum(), internal, retain_graph=True)
    directions = torch.eye(len(own), dtype=own.dtype)[:, :, None].expand(-1, -1, one.x.shape[2])
    seconds = torch.autograd.grad(first, internal, directions, is_grads_batched=True)
    forces = torch.bmm(one.wilson, torch.cat(slopes).T[:, :, None])[:, :, 0].T
    along = torch.bmm(one.wilson, torch.cat(seconds, dim=1).permute(2, 1, 0)).permute(2, 1, 0)
    return Rows(found.detach(), -forces.reshape(one.x.shape), first.detach(), -along.reshape(len(own), *one.x.shape))


MODES = {"reverse": reverse, "forward": forward, "given": given}


def _wilson(places: Places, x: Tensor) -> Tensor:
    """Derivatives of all internal coordinates by the positions."""
    leaf = x.clone().requires_grad_()
    values = torch.cat(coordinates(places, leaf))
    directions = torch.eye(len(values), dtype=x.dtype)[:, :, None].expand(-1, -1, x.shape[2])
    (found,) = torch.autograd.grad(values, leaf, directions, is_grads_batched=True)
    return found.reshape(len(values), -1, x.shape[2]).permute(2, 1, 0).contiguous()
