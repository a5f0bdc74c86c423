"""How layers get their shapes: `build` and `compute_output_shape` as users know them, and what stands behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastnn.engine import lengths

from . import composed, tensors
from ._shapes import Outward, Shape, batch_of, entrance, given_shapes, with_batch, without_batch

if TYPE_CHECKING:
    from fastnn.engine.arena import Parameter


class Built:
    """The part of `Layer` that knows shapes.

    Attributes:
        input_shape, output_shape: as users have them, with the batch axis.
        shape_in, shape_out: of a sample; a tuple of shapes where there are several; None before the layer is built.
            Unknown lengths are None.
        declared_input_shape: what the first layer of a Sequential was told, or None.
    """

    name: str
    parameters: list[Parameter]
    declared_input_shape: Shape | None
    _known_shapes: tuple[Shape | None, Shape | None] = (None, None)  # as they were when the layer was built
    input_shape, output_shape = Outward("shape_in"), Outward("shape_out")
    _batch: int | None = None  # where an Input has told it
    _building = False  # whether `build` is running

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = entrance(cls.build)  # type: ignore[method-assign]

    # While the steps of a call are emitted, the shapes are those of that call (engine/lengths.py).

    @property
    def shape_in(self) -> Shape | None:
        found = lengths.of_call(self)
        return self._known_shapes[0] if found is None else found[0]

    @property
    def shape_out(self) -> Shape | None:
        found = lengths.of_call(self)
        return self._known_shapes[1] if found is None else found[1]

    # ---------------------------------------------------------------------------------------------------- as users see

    @entrance
    def build(self, *input_shape: Any, **shapes: Any) -> None:
        """Add the parameters, for inputs of this shape, as Keras's scripts call and override it.

        Parameters:
            input_shape: with the batch axis in front, None or any size; a list of shapes, or several arguments, for a
                layer that is called with several tensors.

        Raises:
            ValueError: not such a shape, not the one that the layer was built for, or the layer does not take it.
        """
        self.make_weights(without_batch(given_shapes(input_shape, shapes), f"{self.name}: input_shape"))

    def compute_output_shape(self, *input_shape: Any, **options: Any) -> Any:
        """The shape of what comes out, as Keras's scripts call and override it.

        Parameters:
            input_shape: as in `build`.
            options: further shapes by their names in Keras, such as value_shape; arguments of a call.

        Returns:
            The shape, with the batch axis of the input in front; a tuple of shapes for a layer with several outputs.

        Raises:
            ValueError: not such a shape, or the layer does not take it.
        """
        shapes = {name: options.pop(name) for name in list(options) if name.endswith("_shape")}
        given, where = given_shapes(input_shape, shapes), f"{self.name}: input_shape"
        found = with_batch(self._infer_any(without_batch(given, where), options), batch_of(given, where))
        return tuple(found) if isinstance(found, list) else found

    def make_weights(self, input_shape: Shape) -> None:
        """Add the parameters, for samples of this shape."""

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The shape of what comes out for samples of this shape."""
        return input_shape

    @property
    def built(self) -> bool:
        """Whether the shapes are known, and with them the parameters."""
        return self._is_built()

    @built.setter
    def built(self, value: bool) -> None:
        """What Keras's layers say of themselves at the end of `build`; here a layer knows without being told."""
        if not value and self.built:
            raise ValueError(f"{self.name}: a built layer stays built; make a new one. Received: built={value!r}")

    def _is_built(self) -> bool:
        return self.shape_in is not None

    def build_once(self, input_shape: Shape) -> Shape:
        """Build for samples of this shape, or check that it is the one the layer was built for; returns the output's.

        Raises:
            ValueError: the layer does not take this input.
        """
        if input_shape is None:
            raise ValueError(f"{self.name}: expected an input shape. Received: None")
        declared = self.declared_input_shape
        if declared is not None and declared != input_shape and not lengths.matches(declared, input_shape):
            raise ValueError(
                f"{self.name}: expected the declared input shape {with_batch(declared)}. "
                f"Received: {with_batch(input_shape)}"
            )
        if self._known_shapes[0] is None:
            self._build(input_shape if declared is None else declared)
        known, output = self._known_shapes
        if known == input_shape:
            assert output is not None
            return output
        self._check_fits(input_shape, input_shape)
        return self.shape_behind(input_shape)

    def _check_fits(self, input_shape: Any, given: Any) -> None:
        known = self._known_shapes[0]
        if known != given and not lengths.matches(known, input_shape):
            raise ValueError(
                f"{self.name} was built for inputs of shape {with_batch(known)}. Received: {with_batch(given)}"
            )

    def _build(self, input_shape: Shape, options: Mapping[str, Any] | None = None) -> None:
        before, composition = len(self.parameters), composed.of(self)
        try:
            self._run_build(input_shape, options)
            self._known_shapes = (input_shape, None)  # which a composition asks for
            output = self.shape_behind(input_shape) if composition is None else composition.trace(options).shape
            self._known_shapes = (input_shape, output)
        except BaseException as error:  # it may be built for another shape later
            del self.parameters[before:]
            self._known_shapes = (None, None)
            if isinstance(error, TypeError) and lengths.is_open(input_shape):
                raise ValueError(
                    f"{self.name} needs to know the lengths that are None in its input ({error}). "
                    f"Received: shape {with_batch(input_shape)}"
                ) from error
            raise

    def _run_build(self, shape: Any, options: Mapping[str, Any] | None = None) -> None:
        """Call `build`, with shapes as users know them."""
        self._building = True
        try:
            named = composed.named_shapes(self, options or {})
            with tensors.tracing(None):
                self.build(**named) if named else self.build(with_batch(shape))
        finally:
            self._building = False

    def called_with(self, shapes: Any, options: Mapping[str, Any]) -> Any:
        """Build for a call with tensors of these shapes and these options, if need be; returns the output shapes."""
        composition = composed.of(self)
        if composition is not None and options:
            if self._known_shapes[0] is None:
                self._build(composed.shape_to_build(shapes, options), options)
            return composition.trace(options).shape_behind(shapes)
        output: Any = self.build_once(shapes)
        return self.shape_behind(shapes, options) if options else output

    # --------------------------------------------------------------------------------------------------- of every call

    def shape_behind(self, input_shape: Any, options: Mapping[str, Any] | None = None) -> Any:
        """The shape of a sample of what comes out of a call, also where a subclass has its own compute_output_shape.

        Raises:
            ValueError: the layer does not take this input, or what that returned is no shape, or none with the batch
                axis in front.
        """
        composition = composed.of(self)
        if composition is not None:
            return composition.trace(options).shape_behind(input_shape)

        def rule(shape: Any) -> Any:
            found = self.compute_output_shape(with_batch(shape), **(options or {}))
            return without_batch(found, f"{self.name}: what compute_output_shape returns", unknown=True)

        return self._for_any_length(rule, input_shape)

    def _infer_any(self, input_shape: Any, options: Mapping[str, Any]) -> Any:
        """`infer_shape`, also where lengths are not known."""
        if composed.of(self) is not None:
            return self.build_once(input_shape)
        return self._for_any_length(lambda shape: self.infer_shape(shape, **options), input_shape)

    def _for_any_length(self, rule: Callable[[Any], Any], shape: Any) -> Any:
        try:
            return lengths.infer(rule, shape)
        except ValueError as error:
            raise (ValueError(f"{self.name}: {error}") if lengths.is_open(shape) else error) from error.__cause__

    def layers_within(self, input_shape: Any) -> Sequence[tuple[Built, Any]]:
        """The layers that `emit` uses, where these have unknown lengths, with the shapes that come to them."""
        return ()

    def shapes_of_call(self, input_shape: Any, options: Mapping[str, Any], found: dict[int, tuple[Any, Any]]) -> Any:
        """Note the shapes of a call, those of the layer and of the layers within it; returns those of the output.

        Raises:
            ValueError: the layer was not built for such an input, or does not take it.
        """
        self._check_fits(self._built_for(input_shape), input_shape)
        output = made = self.shape_behind(input_shape, options)
        if options and composed.of(self) is None:
            output = self.shape_behind(self._built_for(input_shape))
        found[id(self)] = input_shape, output
        for layer, shape in self.layers_within(input_shape):
            layer.shapes_of_call(shape, {}, found)
        return made

    def _built_for(self, input_shape: Any) -> Any:
        """The part of the shapes that come to a call for which the layer is built."""
        return input_shape
