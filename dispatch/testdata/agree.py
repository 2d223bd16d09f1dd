"""The other half of python_test.go: real CPython at the end of a pipe.

Frames go both ways on standard input and output: four bytes of length, little
end first, then the content. The first byte of a frame to us is an order:

    L  load the marshal data that follows; answer with its canonical text and
       then ten frames: the value, and a tuple that holds it three times, each
       dumped in versions 0 to 4
    R  make a random value from the seed that follows (decimal); answer as for L
    X  answer with a count in decimal and as many dumps of values that are not
       of the subset
"""

import marshal
import random
import struct
import sys

VERSIONS = range(5)


def canon(v):
    """Text that is equal exactly for equal values of equal types."""
    if v is None:
        return "N"
    if v is True:
        return "T"
    if v is False:
        return "F"
    if type(v) is int:
        return "i%d" % v
    if type(v) is bytes:
        return "b" + v.hex()
    if type(v) is str:
        return "s" + v.encode("utf-8", "surrogatepass").hex()
    if type(v) is tuple:
        return "(" + ",".join(map(canon, v)) + ")"
    if type(v) is list:
        return "[" + ",".join(map(canon, v)) + "]"
    if type(v) is dict:
        return "{" + ",".join(sorted(canon(k) + ":" + canon(x) for k, x in v.items())) + "}"
    raise TypeError(type(v))


class Maker:
    """Random values in which objects are shared, as they are in real programs."""

    ALPHABETS = (
        "abcXYZ-/ 09",
        "\x00\x7f",
        "\x80\xe9\xff",
        "\u0100\u20ac\ud7ff\ue000\uffff",
        "\U00010000\U0001f600\U0010ffff",
        "\ud800\udbff\udc80\udfff",
    )

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.made = []  # (value, depth)

    def text(self):
        rnd = self.rnd
        letters = "".join(rnd.sample(self.ALPHABETS, rnd.randint(1, 3)))
        v = "".join(rnd.choices(letters, k=rnd.choice((0, 1, 2, 3, 7, 7, 20, rnd.choice((255, 256, 300))))))
        return sys.intern(v) if rnd.random() < 0.3 else v

    def leaf(self):
        rnd = self.rnd
        kind = rnd.randrange(6)
        if kind == 0:
            return rnd.choice((None, True, False))
        if kind == 1:
            return rnd.choice((0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, -(2**63)))
        if kind == 2:
            return rnd.getrandbits(rnd.randint(1, 63)) * rnd.choice((1, -1))
        if kind == 3:
            return bytes(rnd.getrandbits(8) for _ in range(rnd.choice((0, 1, 5, 9, rnd.choice((255, 256, 1000))))))
        return self.text()

    def value(self, height):
        """A value at most so deep, with the depth it has."""
        rnd = self.rnd
        if self.made and rnd.random() < 0.3:
            v, depth = rnd.choice(self.made)
            if depth <= height:
                return v, depth
        kind = rnd.randrange(5) if height else 4
        if kind == 4:
            v, depth = self.leaf(), 0
        else:
            items = [self.value(height - 1) for _ in range(rnd.choice((0, 1, 2, 3, 5)))]
            depth = 1 + max((d for _, d in items), default=0)
            v = [x for x, _ in items]
            if kind == 0:
                v = tuple(v)
            elif kind == 1:
                v = {self.text(): x for x in v}
        self.made.append((v, depth))
        return v, depth


def outside():
    def f():
        pass

    values = [
        1.5, 2j, ..., StopIteration, {1}, frozenset((1,)), f.__code__,
        2**63, -(2**63) - 1, 2**64, -(2**64), 2**75, 10**100,
        {1: "int key"}, {b"k": "bytes key"}, {None: 1}, {("k",): 1}, {True: 1},
    ]
    cycle = []
    cycle.append(cycle)
    tie = {}
    tie["itself"] = [tie]
    dumps = [marshal.dumps(w, n) for v in values for w in (v, [v], (0, {"k": v})) for n in VERSIONS]
    return dumps + [marshal.dumps(v, n) for v in (cycle, tie) for n in (3, 4)]


def main():
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer

    def reply(frame):
        stdout.write(struct.pack("<I", len(frame)) + frame)

    while True:
        head = stdin.read(4)
        if not head:
            return
        frame = stdin.read(struct.unpack("<I", head)[0])
        order, rest = frame[:1], frame[1:]
        if order == b"X":
            dumps = outside()
            reply(b"%d" % len(dumps))
            for data in dumps:
                reply(data)
        else:
            v = marshal.loads(rest) if order == b"L" else Maker(int(rest)).value(4)[0]
            reply(canon(v).encode())
            for w in (v, (v, [v], v)):
                for version in VERSIONS:
                    reply(marshal.dumps(w, version))
        stdout.flush()


main()
