"""Random nets of old forms, valid by caffe.proto, written in every manner that text format allows."""

from __future__ import annotations

import random
from typing import Any, List, Tuple

from prototools.legacy import PADDING, V0_FIELDS, V0_TYPES
from prototools.net import V1_NUMBERS

Fields = List[Tuple[str, Any]]

FILLER = [("type", '"xavier"'), ("value", "0.5")]
V0_VALUES = {
    "num_output": "3", "biasterm": "false", "weight_filler": FILLER, "bias_filler": FILLER, "pad": "1",
    "kernelsize": "3", "stride": "2", "group": "1", "pool": "AVE", "dropout_ratio": "0.25", "local_size": "5",
    "alpha": "1e-4", "beta": "0.75", "k": "2.", "source": '"db"', "batchsize": "8", "rand_skip": "4",
    "shuffle_images": "true", "new_height": "12", "new_width": "13", "concat_dim": "0", "det_fg_threshold": "0.5",
    "det_bg_threshold": "0.25", "det_fg_fraction": "0.1", "det_context_pad": "16", "det_crop_mode": '"square"',
    "scale": "0.00390625", "meanfile": "'mean'", "cropsize": "227", "mirror": "true", "new_num": "1",
    "hdf5_output_param": [("file_name", '"h5"')],
}
RULE = [("phase", "TRAIN"), ("min_level", "-1"), ("stage", '"s"')]
TRANSFORMED = [("scale", "0.5"), ("mean_file", '"m"'), ("crop_size", "3"), ("mirror", "true")]


def net(chance: random.Random) -> bytes:
    """A net of V0, V1 or the current form, or a solver."""
    make = chance.choice([_v0, _v0, _v1, _v1, _current])
    return Writer(chance).document(make(chance))


def _some(chance: random.Random, fields: Fields, odds: float = 0.5) -> Fields:
    return [field for field in fields if chance.random() < odds]


def _top(chance: random.Random, blobs: List[str]) -> Fields:
    """Fields of the net itself, with inputs and their shapes."""
    fields = _some(chance, [("name", '"net"'), ("force_backward", "true"), ("debug_info", "true"),
                            ("state", [("phase", "TEST"), ("stage", '"x"')])], 0.3)
    fields += [("input", f'"{blob}"') for blob in blobs]
    count = len(blobs) + chance.choice([0, 0, 1])
    kind = chance.choice(["dims", "shapes", "both", "none"])
    if kind in ("dims", "both"):
        fields += [("input_dim", str(chance.choice([1, 3, "0x10", "010"]))) for _ in range(4 * count)]
    if kind in ("shapes", "both"):
        fields += [("input_shape", [("dim", "7")] * chance.randrange(4)) for _ in range(count)]
    return fields


def _wires(chance: random.Random, blobs: List[str], number: int, bottoms: int = 1) -> Fields:
    made = chance.choice([f"b{number}", blobs[-1]])
    wires = [("bottom", f'"{chance.choice(blobs)}"') for _ in range(bottoms)] + [("top", f'"{made}"')]
    blobs.append(made)
    return wires


def _v0(chance: random.Random) -> Fields:
    blobs = ["data", "label"][: chance.choice([1, 2])]
    fields = _top(chance, blobs)
    for number in range(chance.randrange(1, 6)):
        kind = chance.choice([*V0_TYPES, "conv", "pool", "data", PADDING])
        wires = _wires(chance, blobs, number)
        inner = [("name", f'"layer {number}"'), ("type", f'"{kind}"')]
        for name, value in V0_VALUES.items():
            fits = name in V0_FIELDS and V0_FIELDS[name].taken_by(kind)
            if chance.random() < (0.6 if fits else 0.03):
                inner.append((name, value))
        inner += [("blobs_lr", f"{i}.") for i in range(chance.randrange(3))]
        inner += [("weight_decay", f"{i}") for i in range(chance.randrange(3))]
        outer = [*wires, *([] if chance.random() < 0.1 else [("layer", inner)])]
        outer += _some(chance, [("include", RULE), ("loss_weight", "1"), ("relu_param", [])], 0.1)
        fields.append(("layers", outer))
    return fields


def _v1(chance: random.Random) -> Fields:
    blobs = ["data"]
    fields = _top(chance, blobs if chance.random() < 0.6 else [])
    for number in range(chance.randrange(1, 6)):
        kind = chance.choice([*V1_NUMBERS, "DATA", "IMAGE_DATA", "WINDOW_DATA", "CONVOLUTION"])
        written = str(V1_NUMBERS.index(kind)) if chance.random() < 0.2 else kind
        layer = [("name", f'"layer {number}"'), ("type", written), *_wires(chance, blobs, number)]
        for name in ("blobs_lr", "weight_decay"):
            layer += [(name, chance.choice(["1", "0.5", "2.f", "1e3"])) for _ in range(chance.randrange(3))]
        layer += [("param", f'"w{i}"') for i in range(chance.choice([0, 0, 2]))]
        layer += [("blob_share_mode", "PERMISSIVE")] * chance.choice([0, 0, 1])
        layer += _some(chance, [("include", RULE), ("exclude", RULE), ("loss_weight", "2"), ("relu_param", []),
                                ("convolution_param", [("num_output", "3"), ("weight_filler", FILLER)]),
                                ("blobs", [("num", "1"), ("data", "1.5"), ("data", "-2")]),
                                ("transform_param", _some(chance, TRANSFORMED, 0.3))], 0.3)
        for name in ("data_param", "image_data_param", "window_data_param"):
            layer += _some(chance, [(name, [("source", '"s"'), *_some(chance, TRANSFORMED, 0.3)])])
        fields.append(("layers", layer))
    return fields


def _current(chance: random.Random) -> Fields:
    fields = _top(chance, ["data"])
    for number in range(chance.randrange(1, 4)):
        specs = [("param", _some(chance, [("name", '"p"'), ("lr_mult", "1"), ("decay_mult", "0")]))]
        layer = [("name", f'"layer {number}"'), ("type", chance.choice(['"BatchNorm"', '"Batch" "Norm"', '"ReLU"'])),
                 *specs * chance.randrange(5)]
        fields.append(("layer", layer))
    return fields


class Writer:
    """Writes fields in random order and manners, with numbered comments in every place that may hold one."""

    SCALAR_LISTS = ("input", "input_dim", "bottom", "top", "blobs_lr", "weight_decay", "dim", "param", "data", "stage")

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.newline = chance.choice(["\n", "\n", "\n", "\r\n", "\r\n", "\r"])
        self.indent = chance.choice(["  ", "    ", "\t"])
        # A comment does not end at CR.
        self.comments = chance.choice([0, 0.1, 0.3]) if "\n" in self.newline else 0
        self.flat = chance.choice([0, 0.2, 0.5])
        self.lists = chance.choice([0, 0.5])
        self.count = 0

    def document(self, fields: Fields) -> bytes:
        """The whole file; sometimes without a last newline."""
        text = self.body(fields, 0, False)
        return (text if self.chance.random() < 0.9 else text.rstrip()).encode()

    def body(self, fields: Fields, depth: int, flat: bool) -> str:
        """Fields in random order; those of one name keep theirs."""
        order = [name for name, _ in fields]
        if self.chance.random() < 0.4:
            self.chance.shuffle(order)
        queues = {name: [value for key, value in fields if key == name] for name in order}
        lines: List[str] = []
        for name in order:
            if not queues[name]:
                continue
            values = [queues[name].pop(0)]
            listable = name in self.SCALAR_LISTS and isinstance(values[0], str) or name in ("layers", "input_shape")
            if listable and self.chance.random() < self.lists:
                values += [queues[name].pop(0) for _ in range(self.chance.randrange(len(queues[name]) + 1))]
                lines.append(self.listed(name, values, depth, flat))
            else:
                lines.append(self.field(name, values[0], depth, flat))
        if flat:
            return " ".join(lines)
        return "".join(self.line(line, depth) for line in lines)

    def line(self, text: str, depth: int) -> str:
        """A field on its line, or sometimes with the next one behind it, and comments."""
        indent = self.indent * depth
        above = f"{indent}{self.comment()}{self.newline}" if self.chance.random() < self.comments else ""
        above += self.newline if self.chance.random() < 0.1 else ""
        behind = "  " + self.comment() if self.chance.random() < self.comments else ""
        end = " " if not behind and self.chance.random() < 0.1 else self.newline
        return f"{above}{indent}{text}{behind}{end}"

    def comment(self) -> str:
        """A comment that stands nowhere else."""
        self.count += 1
        return self.chance.choice(["# {}", "#{}", "# \"{}'"]).format(self.count)

    def field(self, name: str, value: Any, depth: int, flat: bool) -> str:
        """A field with a value; a comment may stand before its value and before its separator too."""
        gap = self.gap(flat)
        end = self.chance.choice(["", "", "", "", ",", ";", " ;", f"{self.gap(flat)};"])
        if isinstance(value, str):
            return f"{name}{self.chance.choice([': ', ':', ' : '])}{gap}{value}{end}"
        return name + self.chance.choice([" ", ": ", "", ":"]) + gap + self.message(value, depth, flat) + end

    def gap(self, flat: bool) -> str:
        """Nothing, or a comment with its line's end."""
        return "" if flat or self.chance.random() > self.comments / 5 else f" {self.comment()}{self.newline} "

    def message(self, fields: Fields, depth: int, flat: bool) -> str:
        start, stop = self.chance.choice(["{}", "{}", "{}", "<>"])
        if flat or self.chance.random() < self.flat:
            return f"{start} {self.body(fields, depth + 1, True)} {stop}"
        behind = " " + self.comment() if self.chance.random() < self.comments else ""
        below = ""
        if self.chance.random() < self.comments:
            below = ""
        if self.chance.random() < self.comments:
            below = self.indent * (depth + 1) + self.comment() + self.newline
        return f"{start}{behind}{self.newline}{self.body(fields, depth + 1, False)}{below}{self.indent * depth}{stop}"

    def listed(self, name: str, values: List[Any], depth: int, flat: bool) -> str:
        gap = ", " if flat or self.chance.random() > self.comments else f" {self.comment()}{self.newline}, "
        words = [value if isinstance(value, str) else self.message(value, depth, flat) for value in values]
        return f"{name}: [{gap.join(words)}]"
