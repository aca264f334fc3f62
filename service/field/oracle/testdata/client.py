"""Reads a Modbus TCP server with the Python package pymodbus. Arguments: PORT UNIT. Each line of
standard input is "read ADDR COUNT", "write ADDR WORD ..." (one word: function 6, more: 16) or
"repeat ADDR COUNT TIMES" (function 0x23), all hexadecimal; each is answered with one line: the
words, "ok", or "exception CODE"."""
import struct
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.pdu import ModbusRequest, ModbusResponse


class RepeatedResponse(ModbusResponse):
    function_code = 0x23

    def __init__(self, data=b"", **kwargs):
        super().__init__(**kwargs)
        self.registers = []

    def decode(self, data):
        size = struct.unpack(">H", data[:2])[0]
        assert size == len(data) - 2, (size, len(data))
        self.registers = list(struct.unpack(f">{size // 2}H", data[2:]))


class RepeatedRequest(ModbusRequest):
    function_code = 0x23

    def __init__(self, address, count, times, unit):
        super().__init__(unit)
        self.address, self.count, self.times = address, count, times

    def encode(self):
        return struct.pack(">HHB", self.address, self.count, self.times)

    def get_response_pdu_size(self):
        return 3 + 2 * self.count * self.times


client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=10)
unit = int(sys.argv[2])
assert client.connect()
client.register(RepeatedResponse)
for line in sys.stdin:
    verb, *rest = line.split()
    numbers = [int(w, 16) for w in rest]
    if verb == "read":
        answer = client.read_holding_registers(numbers[0], numbers[1], unit)
    elif verb == "repeat":
        answer = client.execute(RepeatedRequest(*numbers, unit))
    elif len(numbers) == 2:
        answer = client.write_register(numbers[0], numbers[1], unit)
    else:
        answer = client.write_registers(numbers[0], numbers[1:], unit)
    if answer.isError():
        print("exception", getattr(answer, "exception_code", answer), flush=True)
    else:
        print(" ".join(f"{w:04x}" for w in answer.registers) if verb in ("read", "repeat") else "ok", flush=True)
