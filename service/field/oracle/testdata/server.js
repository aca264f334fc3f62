// A Modbus TCP server of the npm package modbus-serial. Arguments: UNIT:MODE:IMAGE ... (see
// oracle_test.go for the modes). Prints its port when it listens; ends when standard input does.
"use strict";
const fs = require("fs");
const { ServerTCP } = require("modbus-serial");

const units = new Map();
for (const arg of process.argv.slice(2)) {
    const [unit, mode, path] = arg.split(":");
    const image = new Map();
    for (const line of fs.readFileSync(path, "utf8").split("\n")) {
        const [at, words] = line.split(":");
        if (!words || line.startsWith("#")) continue;
        words.trim().split(/\s+/).forEach((w, i) => image.set(parseInt(at, 16) + i, parseInt(w, 16)));
    }
    units.set(Number(unit), { mode, image, asked: 0 });
}

function refuse(code) {
    const err = new Error("refused");
    err.modbusErrorCode = code;
    return err;
}

function read(addr, length, unitID, callback) {
    const u = units.get(unitID);
    if (!u) return; // not our unit: no answer
    u.asked++;
    if (u.mode === "absent") return callback(refuse(0x0b), []);
    if (u.mode === "busy" && u.asked % 3 === 1) return callback(refuse(6), []);
    const values = [];
    for (let a = addr; a < addr + length; a++) {
        const v = u.image.get(a);
        if (v === undefined && u.mode === "strict") return callback(refuse(2), []); // the library looks at the values of function 4 although there is an error
        values.push(v === undefined ? 0 : v);
    }
    if (u.mode === "slow") return setTimeout(() => callback(null, values), 700);
    callback(null, values);
}

// The library asks for a single register by another name.
const vector = {
    getMultipleHoldingRegisters: read,
    getMultipleInputRegisters: read,
    getInputRegister: (addr, unitID, callback) => read(addr, 1, unitID, (err, values) => callback(err, values && values[0])),
    getHoldingRegister: (addr, unitID, callback) => read(addr, 1, unitID, (err, values) => callback(err, values && values[0])),
};
const server = new ServerTCP(vector, { host: "127.0.0.1", port: "0", unitID: 255 });
server.on("initialized", () => console.log("port " + server._server.address().port));
server.on("socketError", () => {});
process.stdin.on("end", () => process.exit(0)).resume();
