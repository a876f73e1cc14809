"""The tied Gaussian field: least squares over patches as oracle, with patches cut out by torch, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn.gaussian_field import TiedGaussianField, normal_matrix, patch_matrix, site_jacobian  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402

few = settings(max_examples=30, deadline=None)
paddings = st.sampled_from(["valid", "same"])


@st.composite
def problems(draw):
    """Images, responses, kernel size and padding, with more responses than weights."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    kernel_size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(paddings)
    n, channels = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    images = rng.normal(size=(n, channels, draw(st.integers(11, 13)), draw(st.integers(11, 13))))
    height, width = np.array(images.shape[2:]) - (0 if padding == "same" else np.array(kernel_size) - 1)
    return images, rng.normal(size=(n, height, width)), kernel_size, padding


def unfolded(images, kernel_size, padding):
    """Patches as torch cuts them."""
    pixels = torch.as_tensor(images)
    if padding == "same":
        (top, left) = ((k - 1) // 2 for k in kernel_size)
        pixels = nn.functional.pad(pixels, (left, kernel_size[1] - 1 - left, top, kernel_size[0] - 1 - top))
    columns = nn.functional.unfold(pixels, kernel_size)
    return columns.permute(0, 2, 1).reshape(-1, columns.shape[1]).numpy()


def fitted(problem):
    images, responses, kernel_size, padding = problem
    field = TiedGaussianField(kernel_size, channels=images.shape[1], padding=padding).fit(images, responses)
    return field, unfolded(images, kernel_size, padding), responses.ravel()


@few
@given(problem=problems())
def test_patches_are_those_that_torch_cuts(problem):
    images, _, kernel_size, padding = problem
    np.testing.assert_array_equal(patch_matrix(images, kernel_size, padding), unfolded(images, kernel_size, padding))


@few
@given(problem=problems())
def test_the_kernel_is_least_squares_over_patches(problem):
    field, patches, responses = fitted(problem)
    solved, squares, rank, _ = np.linalg.lstsq(patches, responses, rcond=None)
    np.testing.assert_allclose(field.weight_.ravel(), solved, rtol=1e-9, atol=1e-11)
    assert field.rank_ == rank == field.n_free == patches.shape[1]
    assert field.noise_variance_ == pytest.approx(squares[0] / (len(responses) - rank), rel=1e-9)
    expected = field.noise_variance_ * np.linalg.inv(patches.T @ patches)
    np.testing.assert_allclose(field.covariance_, expected, rtol=1e-8, atol=1e-12)


@few
@given(problem=problems())
def test_the_site_weights_pool_to_the_normal_equations_of_the_patches(problem):
    field, patches, responses = fitted(problem)
    tying, jacobian = field.tying_, site_jacobian(patches)
    n, p = patches.shape
    assert (tying.n_free, tying.n_site, jacobian.shape) == (p, n * p, (n, n * p))
    np.testing.assert_allclose(normal_matrix(tying, jacobian), patches.T @ patches, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(tying.hessian(jacobian.T @ jacobian).toarray(), patches.T @ patches, atol=1e-11)
    np.testing.assert_allclose(tying.pool(jacobian.T @ responses), patches.T @ responses, atol=1e-11)
    np.testing.assert_allclose((jacobian @ tying.matrix).toarray(), patches)
    assert tying.rank(jacobian) == p
    assert LinearTying.identity(n * p).rank(jacobian) == int((abs(patches).sum(axis=1) > 0).sum())


# Even kernels are padded by one more behind than before: torch says that it copies the image for that.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@few
@given(problem=problems())
def test_its_layer_gives_its_predictions(problem):
    field, patches, _ = fitted(problem)
    images, responses, _, padding = problem
    layer = field.to_conv2d(dtype=torch.float64)
    assert (layer.padding, layer.bias) == (padding, None)
    with torch.no_grad():
        found = layer(torch.as_tensor(images))[:, 0].numpy()
    np.testing.assert_allclose(found, field.predict(images), rtol=1e-10, atol=1e-12)
    assert found.shape == responses.shape
    np.testing.assert_allclose(found.ravel(), patches @ field.weight_.ravel(), rtol=1e-10, atol=1e-12)


@few
@given(problem=problems(), seed=st.integers(0, 100))
def test_the_order_of_images_does_not_matter(problem, seed):
    images, responses, kernel_size, padding = problem
    order = np.random.default_rng(seed).permutation(len(images))
    one = fitted(problem)[0]
    other = fitted((images[order], responses[order], kernel_size, padding))[0]
    np.testing.assert_allclose(one.weight_, other.weight_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.covariance_, other.covariance_, rtol=1e-8, atol=1e-12)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_one_image_is_a_batch_of_one(rng):
    image, responses = rng.normal(size=(9, 8)), rng.normal(size=(7, 6))
    fields = [
        TiedGaussianField(3).fit(image, responses),
        TiedGaussianField(3).fit(image[None], responses[None]),
        TiedGaussianField((3, 3)).fit(image[None, None], responses[None]),
    ]
    for field in fields[1:]:
        assert np.array_equal(field.weight_, fields[0].weight_)
    assert fields[0].weight_.shape == (3, 3)
    assert fields[0].predict(image).shape == (7, 6)
    assert fields[2].predict(image[None, None]).shape == (1, 7, 6)


def test_with_channels_the_kernel_has_an_axis_for_them(rng):
    field = TiedGaussianField((2, 3), channels=2).fit(rng.normal(size=(1, 2, 9, 9)), rng.normal(size=(1, 8, 7)))
    assert field.weight_.shape == (2, 2, 3)
    assert field.to_conv2d().weight.shape == (1, 2, 2, 3)
    assert field.to_conv2d().weight.dtype == torch.float32


def test_responses_without_noise_give_the_kernel_back(rng):
    images, kernel = rng.normal(size=(2, 10, 10)), rng.normal(size=(3, 3))
    clean = np.zeros((2, 8, 8))
    for row in range(3):
        for column in range(3):
            clean += kernel[row, column] * images[:, row : row + 8, column : column + 8]
    field = TiedGaussianField(3).fit(images, clean)
    np.testing.assert_allclose(field.weight_, kernel, rtol=1e-12)
    assert field.noise_variance_ < 1e-25


def test_the_zeros_beyond_the_edges_count():
    field = TiedGaussianField(3, padding="same").fit(np.ones((4, 4)), np.add.outer([2, 3, 3, 2], [0, 0, 0, 0]) * 1.0)
    assert field.rank_ == 9
    valid = TiedGaussianField(3).fit(np.ones((4, 4)), np.full((2, 2), 3.0))
    assert valid.rank_ == 1


def test_what_an_image_does_not_identify_has_infinite_variance_and_the_shortest_kernel(rng):
    # Rows do not differ: only the sums of the columns of the kernel are seen.
    image = np.tile(rng.normal(size=20), (15, 1))
    responses = rng.normal(size=(13, 18))
    field = TiedGaussianField(3).fit(image, responses)
    shortest = np.linalg.lstsq(patch_matrix(image[None, None], (3, 3)), responses.ravel(), rcond=1e-9)[0]
    assert field.rank_ == 3
    np.testing.assert_allclose(field.weight_.ravel(), shortest, rtol=1e-8)
    assert np.isinf(np.diag(field.covariance_)).all()
    assert np.isnan(field.covariance_[0, 1])


def test_weights_that_are_identified_keep_their_variance_beside_those_that_are_not(rng):
    images = rng.normal(size=(1, 2, 8, 8))
    images[:, 1] = 0.0
    field = TiedGaussianField(2, channels=2).fit(images, rng.normal(size=(1, 7, 7)))
    alone = TiedGaussianField(2).fit(images[:, 0], rng.normal(size=(1, 7, 7)))
    assert (field.rank_, alone.rank_) == (4, 4)
    variances = np.diag(field.covariance_)
    assert np.isfinite(variances[:4]).all()
    assert np.isinf(variances[4:]).all()
    ratio = field.covariance_[:4, :4] / alone.covariance_
    np.testing.assert_allclose(ratio, field.noise_variance_ / alone.noise_variance_, rtol=1e-8)


def test_an_ill_conditioned_image_loses_no_more_digits_than_least_squares(rng):
    x = np.linspace(0.0, 1.0, 60)
    image = np.sin(3 * np.add.outer(x, 0.7 * x)) + 1e-5 * rng.normal(size=(60, 60))
    patches = patch_matrix(image[None, None], (3, 3))
    assert np.linalg.cond(patches) > 1e5
    responses = rng.normal(size=(58, 58))
    field = TiedGaussianField(3).fit(image, responses)
    solved = np.linalg.lstsq(patches, responses.ravel(), rcond=None)[0]
    np.testing.assert_allclose(field.weight_.ravel(), solved, rtol=1e-7)


def test_as_many_responses_as_weights_leave_nothing_for_the_noise(rng):
    field = TiedGaussianField(2).fit(rng.normal(size=(3, 3)), rng.normal(size=(2, 2)))
    assert np.isnan(field.noise_variance_)
    assert np.isnan(field.covariance_).all()


def test_whitened_errors_have_unit_variance(rng):
    image, kernel = rng.normal(size=(14, 14)), rng.normal(size=(2, 2))
    clean = (patch_matrix(image[None, None], (2, 2)) @ kernel.ravel()).reshape(13, 13)
    whitened = []
    for _ in range(200):
        field = TiedGaussianField(2).fit(image, clean + 0.3 * rng.normal(size=clean.shape))
        root = np.linalg.cholesky(field.covariance_)
        whitened.append(np.linalg.solve(root, (field.weight_ - kernel).ravel()))
    assert np.cov(np.array(whitened).T) == pytest.approx(np.eye(4), abs=0.35)


def test_its_text_shows_the_counts(rng):
    field = TiedGaussianField(3, channels=2, padding="same")
    assert repr(field) == "TiedGaussianField((3, 3), channels=2, padding='same', free=18)"
    field.fit(rng.normal(size=(1, 2, 10, 10)), rng.normal(size=(1, 10, 10)))
    assert repr(field).endswith("free=18, sites=1,800, rank=18)")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TiedGaussianField(0), "has no weights"),
        (lambda: TiedGaussianField(3, padding="full"), "padding is 'full', expected 'valid' or 'same'"),
        (lambda: fit((3, 3), (2, 9), (1, 1)), r"does not fit into an image of \(2, 9\)"),
        (lambda: fit((3, 3), (5, 5), (5, 5)), r"y has shape \(5, 5\), expected \(3, 3\)"),
        (lambda: fit((3, 3), (2, 5, 5), (1, 3, 3)), r"expected \(2, 3, 3\)"),
        (lambda: fit((3, 3), (1, 2, 5, 5), (1, 3, 3)), r"expected \(N, 1, H, W\), \(N, H, W\) or \(H, W\)"),
        (lambda: fit((3, 3), (5,), (3,)), r"X has shape \(5,\)"),
        (lambda: fit((3, 3), (5, 5), (3, 3), fill=np.nan), "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(TyingError, match=message):
        make()


def fit(kernel_size, image, responses, fill=1.0):
    return TiedGaussianField(kernel_size).fit(np.full(image, fill), np.ones(responses))
