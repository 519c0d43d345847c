"""Feature visualisation of classifiers: parametrisations, regularisers, objectives, similarity."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono.analysis import visualise
from toymono.analysis.visualise import classifier, images, similarity
from toymono.analysis.visualise.images import Settings
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig

KEY = jax.random.key(0)
SIZE = (8, 8)
CONFIG = ClassifierConfig(sizes=(6, 5))
diversities = jax.jit(jax.vmap(visualise.diversity))
FEW = Settings(images=2, steps=24, jitter=0, rate=0.2)


@pytest.fixture(scope="module")
def params():
    return network.init(CONFIG, SIZE, KEY)


@pytest.fixture(scope="module")
def images_bhw():
    return jax.random.uniform(KEY, (2, *SIZE))


class TestImages:
    @pytest.mark.parametrize(("parametrisation", "size"), [("pixels", (8, 8)), ("fourier", (6, 9))])
    def test_parameters_are_the_inverse_of_the_image(self, parametrisation, size):
        settings = Settings(parametrisation=parametrisation)
        images_bhw = 0.1 + 0.8 * jax.random.uniform(KEY, (2, *size))
        parameter_b = images.parameters_of(images_bhw, settings)
        np.testing.assert_allclose(
            images.render(parameter_b, settings, size), images_bhw, atol=1e-5
        )
        start_b = images.start(settings, size, KEY)
        assert start_b.shape[1:] == parameter_b.shape[1:]
        np.testing.assert_allclose(images.render(start_b, settings, size), 0.5, atol=0.3)

    def test_low_frequencies_weigh_more(self):
        settings = Settings(parametrisation="fourier")
        shown = []
        for row in (1, 4):
            parameter_b = jnp.zeros((1, 2, 8, 5)).at[0, 0, row, 0].set(0.01)
            shown.append(float(images.render(parameter_b, settings, SIZE).std()))
        assert shown[0] > 2 * shown[1]

    def test_jitter_moves_by_whole_pixels(self, images_bhw):
        assert images.transform(images_bhw, Settings(jitter=0), KEY) is images_bhw
        moved_bhw = np.asarray(images.transform(images_bhw, Settings(jitter=1), KEY))
        padded_bhw = np.pad(images_bhw, ((0, 0), (1, 1), (1, 1)), mode="edge")
        for moved_hw, padded_hw in zip(moved_bhw, padded_bhw, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(padded_hw, SIZE)
            assert (windows == moved_hw).all(axis=(2, 3)).any()

    def test_resampling_without_a_change_is_the_image(self, images_bhw):
        settings = Settings(jitter=0, zoom=1e-7, rotation=0)
        np.testing.assert_allclose(
            images.transform(images_bhw, settings, KEY), images_bhw, atol=1e-4
        )
        turned_bhw = images.transform(images_bhw, Settings(jitter=0, rotation=45), KEY)
        assert abs(turned_bhw - images_bhw).max() > 0.1

    def test_penalties_by_hand(self):
        dot_bhw = jnp.zeros((1, 3, 3)).at[0, 1, 1].set(2.0)
        assert float(images.total_variation(dot_bhw)[0]) == 8
        for name, value in {"variation": 8, "l1": 2, "l2": 2}.items():
            settings = dataclasses.replace(Settings(), **{name: 0.5})
            assert float(images.penalty(dot_bhw, settings)[0]) == pytest.approx(value / 2, rel=1e-3)
        # Of the kernel's mass: 1 of 5 at the centre, .5 of 3.5 beside it, .5 of 2.5 at corners.
        blurred_hw = images.blurred(dot_bhw)[0]
        np.testing.assert_allclose(
            blurred_hw[0], [2 * 0.5 / 2.5, 2 * 0.5 / 3.5, 2 * 0.5 / 2.5], rtol=1e-5
        )
        assert float(blurred_hw[1, 1]) == pytest.approx(2 / 5)
        uniform = images.penalty(jnp.ones((1, 3, 3)), Settings(blur=1.0, variation=1.0))
        assert float(uniform[0]) == pytest.approx(0, abs=1e-9)

    def test_wrong_settings_are_refused(self):
        for wrong in ({"parametrisation": "wavelet"}, {"images": 0}, {"jitter": -1}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                Settings(**wrong)

    def test_settings_follow_the_size(self):
        assert images.settings_for((8, 8)) == images.SMALL
        assert images.settings_for((28, 28)) == images.LARGE


class TestClassifier:
    def test_preactivations_are_what_the_network_rectifies(self, params, images_bhw):
        found = classifier.preactivations(CONFIG, params, images_bhw)
        outputs = network.outputs(CONFIG, params, images_bhw)
        for drive_bpk, active_bk in zip(found[:-1], outputs.activations, strict=True):
            np.testing.assert_allclose(jnp.maximum(drive_bpk, 0).mean(axis=1), active_bk, atol=1e-5)
        np.testing.assert_allclose(found[-1][:, 0], outputs.logits_by, atol=1e-5)

    def test_images_excite_the_neuron_even_from_a_dead_start(self, params):
        """A bias of -3 makes every neuron of the layer inactive at the start."""
        dead = {**params, "hidden_0": {**params["hidden_0"], "bias": jnp.full(6, -3.0)}}
        unit_u, largest_u = jnp.arange(6), jnp.full(6, 2.0)
        found = classifier.maximise(
            CONFIG, dead, 0, unit_u, largest_u, KEY, image_hw=SIZE, settings=FEW
        )
        assert found.shape == (6, 2, *SIZE)
        assert (found >= 0).all()
        assert (found <= 1).all()
        drive = classifier.preactivations(CONFIG, dead, found.reshape(-1, *SIZE))[0]
        drive_ub = np.asarray(drive).reshape(6, 2, 6)[np.arange(6), :, np.arange(6)]
        assert (drive_ub > -1).all()
        # No image excites a dense neuron more than 1 on positive weights and 0 elsewhere.
        kernel_dk = np.maximum(dead["hidden_0"]["kernel"], 0)
        assert (drive_ub <= kernel_dk.sum(axis=0)[:, None] - 3 + 1e-4).all()

    def test_similarity_falls_as_the_weight_rises(self, params):
        unit_u, largest_u = jnp.arange(6), jnp.full(6, 2.0)
        similar = []
        for weight in (0.0, 0.3, 3.0):
            found = classifier.maximise(
                *(CONFIG, params, 0, unit_u, largest_u, KEY),
                image_hw=SIZE,
                settings=FEW,
                on_hidden=weight,
            )
            [hidden, *_] = classifier.activations(CONFIG, params, found.reshape(-1, *SIZE))
            hidden_ubk = np.asarray(hidden).reshape(6, 2, -1)
            similar.append(diversities(hidden_ubk).mean())
        assert similar[0] > similar[1] > similar[2]

    def test_the_same_key_gives_the_same_images_and_one_neuron_those_of_many(self, params):
        def found(unit_u):
            return classifier.maximise(
                *(CONFIG, params, 0, unit_u, jnp.ones(len(unit_u)), KEY),
                image_hw=SIZE,
                settings=FEW,
                on_inputs=0.3,
            )

        many = found(jnp.arange(6))
        np.testing.assert_array_equal(found(jnp.arange(6)), many)
        # A neuron keeps its key and images whatever its neighbours are.
        other = found(jnp.array([5, 1, 3, 2, 4, 0]))
        np.testing.assert_allclose(other[1], many[1], atol=1e-5)
        assert abs(other[0] - many[0]).max() > 0.1
        # The first key of a split does not depend on the number of keys.
        for unit, mapped in ((0, many), (5, other)):
            np.testing.assert_allclose(found(jnp.array([unit]))[0], mapped[0], atol=1e-5)

    @pytest.mark.slow
    def test_channels_from_examples(self, images_bhw):
        """A convolutional network: the Gram form, and given starts."""
        config = ClassifierConfig(network="cnn", sizes=(3, 4))
        params = network.init(config, SIZE, KEY)
        start_ubhw = jnp.stack([images_bhw] * 2)
        found = classifier.maximise(
            *(config, params, 1, jnp.array([0, 1]), jnp.ones(2), KEY),
            image_hw=SIZE,
            settings=dataclasses.replace(FEW, steps=6),
            on_hidden=0.1,
            start_ubhw=start_ubhw,
        )
        value_ub, label_ub = classifier.evaluate(config, params, 1, np.arange(2), found)
        before_ub, _ = classifier.evaluate(config, params, 1, np.arange(2), start_ubhw)
        assert value_ub.mean() > before_ub.mean()
        assert label_ub.shape == (2, 2)

    def test_the_logits_are_a_layer(self, params):
        unit_u = jnp.arange(3)
        found = classifier.maximise(
            CONFIG, params, 2, unit_u, jnp.ones(3), KEY, image_hw=SIZE, settings=FEW
        )
        value_ub, _ = classifier.evaluate(CONFIG, params, 2, np.arange(3), found)
        grey_ub, _ = classifier.evaluate(CONFIG, params, 2, np.arange(3), 0 * found + 0.5)
        assert (value_ub > grey_ub + 0.05).all()

    def test_an_unknown_layer_is_refused(self, params):
        with pytest.raises(ValueError, match="layer=4"):
            classifier.maximise(
                CONFIG, params, 4, jnp.arange(1), jnp.ones(1), KEY, image_hw=SIZE, settings=FEW
            )


class TestSimilarity:
    rng = np.random.default_rng(0)
    kind_k = np.repeat([0, 1, 2], 12)
    input_kd = np.eye(6)[kind_k] + 0.05 * rng.uniform(size=(36, 6))

    def test_clusters_of_similar_inputs(self):
        found = similarity.input_coherence(self.kind_k, self.input_kd, labels=3, permutations=99)
        assert found.labels.score == pytest.approx(1, abs=1e-6)
        assert found.within > 0.9
        assert found.right_p == 0.01

    def test_clusters_that_mix_them(self):
        mixed_k = np.tile([0, 1, 2], 12)
        found = similarity.input_coherence(mixed_k, self.input_kd, labels=3, permutations=99)
        assert abs(found.labels.score) < 0.2
        assert found.right_p > 0.2

    def test_within_by_hand(self):
        """Two pairs of opposite inputs: cosine 1 within, against -1 across."""
        input_kd = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
        found = similarity.input_coherence(np.array([0, 0, 1, 1]), input_kd, permutations=9)
        assert found.within == pytest.approx(1)
        across = similarity.input_coherence(np.array([0, 1, 0, 1]), input_kd, permutations=9)
        assert across.within == pytest.approx(-1)

    def test_layers_are_not_compared_with_each_other(self):
        """Clusters that follow the layers say nothing."""
        layer_k = np.repeat([0, 1], 18)
        found = similarity.input_coherence(layer_k, self.input_kd, layer_k, permutations=19)
        assert found.labels.score == pytest.approx(0, abs=1e-6)
        assert found.right_p == 1

    def test_nothing_to_compare(self):
        found = similarity.input_coherence(np.array([-1, 0]), np.eye(2), permutations=9)
        assert np.isnan(found.within)
        assert np.isnan(found.right_p)
        assert found.labels.score == 0
