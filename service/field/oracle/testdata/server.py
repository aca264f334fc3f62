"""A Modbus server of the Python package pymodbus. Arguments: [--rtu-tcp | --serial PORT] UNIT:MODE:IMAGE ... (see
process_test.go for the modes); the mode session serves the logs of session.json besides, by the
manual's description and by function 0x23. Prints its port when it listens; ends when standard
input does."""
import asyncio
import datetime
import json
import os
import struct
import sys
import threading
import time

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext
from pymodbus.pdu import ModbusRequest, ModbusResponse
from pymodbus.register_read_message import ReadHoldingRegistersRequest
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer


def load(image, path):
    with open(path, encoding="ascii") as f:
        for line in f:
            if line.startswith("#") or ":" not in line:
                continue
            at, words = line.split(":")
            for i, word in enumerate(words.split()):
                image[int(at, 16) + i] = int(word, 16)


class Image:
    """A data block: the registers of one unit."""

    def __init__(self, mode, path):
        self.mode, self.image, self.asked = mode, {}, 0
        load(self.image, path)

    def reset(self):
        pass

    def validate(self, address, count=1):
        last = address + count <= 65536
        return last and (self.mode != "strict" or all(a in self.image for a in range(address, address + count)))

    def getValues(self, address, count=1):
        if self.mode == "slow":
            time.sleep(0.7)
        return [self.image.get(a, 0) for a in range(address, address + count)]

    def setValues(self, address, values):
        pass

    def refusal(self):
        self.asked += 1
        if self.mode == "absent":
            return 0x0B
        if self.mode == "busy" and self.asked % 3 == 1:
            return 6
        return 0


class Log:
    """A log's memory: the records at their indexes."""

    def __init__(self, spec):
        self.number, self.status = spec["number"], int(spec["status"], 16)
        self.disabled = spec.get("disabled", False)
        if self.disabled:
            return
        self.max, self.size = spec["max"], spec["size"]
        stamp = bytes.fromhex(spec["filler"])
        self.records = [stamp + b"\xff" * (self.size - 6)]
        self.records += [bytes.fromhex(r) for r in spec.get("records", [])]
        minutes = spec.get("every_minute")
        if minutes:
            y, mo, d, h, mi, s = bytes.fromhex(minutes["stamp"])
            at = datetime.datetime(2000 + y, mo, d, h, mi, s)
            for _ in range(minutes["count"]):
                b = bytes([at.year - 2000, at.month, at.day, at.hour, at.minute, at.second])
                self.records.append(b + bytes.fromhex(minutes["data"]))
                at += datetime.timedelta(minutes=1)
        if "capture" in spec:
            self.records += capture(spec["capture"])

    def block(self, owner):
        if self.disabled:
            return bytes(10) + b"\xff\xff" + bytes(20)
        return struct.pack(">IIHH", self.max, len(self.records), self.size, owner) + self.records[0][:6] + self.records[-1][:6] + bytes(8)


def capture(spec):
    """The 26 records of a waveform capture: sample k of channel c is (k % 64 - 32) * (c + 1)."""
    data = bytes.fromhex(spec["header"]) + b"\xff" * 388
    for c, name in enumerate(spec["channels"]):
        data += name.encode() + b"".join(struct.pack(">h", (k % 64 - 32) * (c + 1)) for k in range(2048))
    assert len(data) == 26 * 962, len(data)
    head = bytes.fromhex(spec["stamp"])
    return [head + bytes([spec["number"], n]) + data[962 * n:962 * (n + 1)] for n in range(26)]


class Session(Image):
    """A unit with logs, as the manual's section on log retrieval describes them."""

    def __init__(self, path):
        super().__init__("session", path)
        here = os.path.dirname(path)
        load(self.image, os.path.join(here, "session.regs"))
        with open(os.path.join(here, "session.json"), encoding="ascii") as f:
            spec = json.load(f)
        self.port = spec["port"]
        self.logs = [Log(s) for s in spec["logs"]]
        self.log, self.enable, self.per, self.repeats, self.index, self.moves = None, 0, 0, 0, 0, 0  # enable: as written

    def getValues(self, address, count=1):
        ready = not self.unready()
        values = self.look(address, count, 0)
        # Reading the last register of the window moves the index on.
        if address <= 0xC3CD < address + count and self.repeats and ready:
            self.index += self.per
            self.moves += 1
        return values

    def unready(self):
        return self.moves % 5 == 4

    def repeated(self, address, count, passes):
        values = [v for p in range(passes) for v in self.look(address, count, p)]
        if self.repeats:
            self.index += self.per
        return values

    def look(self, address, count, part):
        b = bytearray(2 * count)

        def put(at, data):
            for i, v in enumerate(data):
                if 0 <= 2 * (at - address) + i < len(b):
                    b[2 * (at - address) + i] = v

        for a in range(address, address + count):
            put(a, struct.pack(">H", self.image.get(a, 0)))
        for log in self.logs:
            put(log.status, log.block(self.port if log is self.log else 0))
        put(0xC34F, struct.pack(">H", self.enable))
        if self.log:
            unready = self.unready() and self.log.size <= 246
            if unready and address <= 0xC351 < address + count:
                self.moves += 1  # ready at the next reading
            put(0xC34E, struct.pack(">HHBB", self.port, self.enable, self.per, self.repeats))
            put(0xC351, struct.pack(">I", self.index | (0xFF000000 if unready else 0)))
            put(0xC353, b"\xff" * 246 if unready else self.window(part))
        return list(struct.unpack(f">{count}H", b))

    def window(self, part):
        if self.log.size > 246:
            record = self.log.records[self.index] if self.index < len(self.log.records) else b""
            return record[244 * part:244 * (part + 1)].ljust(246, b"\xff")
        records = self.log.records[self.index:self.index + self.per]
        return b"".join(records).ljust(246, b"\xff")

    def setValues(self, address, values):
        for i, v in enumerate(values):
            if address + i == 0xC34F:
                number, self.enable = v >> 8, v
                self.log = next((x for x in self.logs if x.number == number and not x.disabled), None) if v & 0x80 else None
                self.per = self.repeats = self.index = 0
            elif self.log and address + i == 0xC350:
                self.per, self.repeats = v >> 8, v & 0xFF
            elif self.log and address + i == 0xC351:
                self.index = (v & 0xFF) << 16 | self.index & 0xFFFF
            elif self.log and address + i == 0xC352:
                self.index = self.index & 0xFF0000 | v


class ReadHolding(ReadHoldingRegistersRequest):
    """Function 3 with the refusals of a mode."""

    def execute(self, context):
        code = context.store["h"].refusal()
        return self.doException(code) if code else super().execute(context)


class ReadRepeated(ModbusRequest):
    """Function 0x23 of the vendor: the same registers several times."""

    function_code = 0x23
    _rtu_frame_size = 9

    def decode(self, data):
        self.address, self.count, self.repeat = struct.unpack(">HHB", data[:5])

    def encode(self):
        return struct.pack(">HHB", self.address, self.count, self.repeat)

    def execute(self, context):
        block = context.store["h"]
        if not isinstance(block, Session):
            return self.doException(1)
        values = block.repeated(self.address, self.count, self.repeat)
        return RepeatedResponse(struct.pack(f">H{len(values)}H", 2 * len(values), *values))


class RepeatedResponse(ModbusResponse):
    """The answer to it: a byte count of two bytes."""

    function_code = 0x23

    def __init__(self, data=b"", **kwargs):
        super().__init__(**kwargs)
        self.data = data

    def encode(self):
        return self.data


async def serve():
    slaves = {}
    args = sys.argv[1:]
    port, framer = None, ModbusSocketFramer
    if args[0] == "--rtu-tcp":
        framer, args = ModbusRtuFramer, args[1:]
    elif args[0] == "--serial":
        port, args = args[1], args[2:]
    for arg in args:
        unit, mode, path = arg.split(":", 2)
        block = Session(path) if mode == "session" else Image(mode, path)
        slaves[int(unit)] = ModbusSlaveContext(hr=block, ir=block, zero_mode=True)
    context = ModbusServerContext(slaves=slaves, single=False)
    if port:
        server = ModbusSerialServer(context, ModbusRtuFramer, None, port=port, baudrate=19200, ignore_missing_slaves=True)
        await server.start()
        print("port 0", flush=True)
        await server.serve_forever()
        return
    server = ModbusTcpServer(context, framer, None, ("127.0.0.1", 0), ignore_missing_slaves=True)
    for custom in (ReadHolding, ReadRepeated):
        server.decoder.register(custom)
    task = asyncio.ensure_future(server.serve_forever())
    while server.server is None and not task.done():
        await asyncio.sleep(0.01)
    if not task.done():
        print("port", server.server.sockets[0].getsockname()[1], flush=True)
    await task


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(serve())
