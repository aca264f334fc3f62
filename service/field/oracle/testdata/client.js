// Reads a Modbus TCP server with the npm package modbus-serial: see client.py for the lines that it
// takes; it has no function 0x23.
"use strict";
const readline = require("readline");
const ModbusRTU = require("modbus-serial");

async function main() {
    const client = new ModbusRTU();
    await client.connectTCP("127.0.0.1", { port: Number(process.argv[2]) });
    client.setID(Number(process.argv[3]));
    client.setTimeout(10000);
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [verb, ...rest] = line.split(" ");
        const [addr, ...words] = rest.map((w) => parseInt(w, 16));
        try {
            if (verb === "read") {
                const answer = await client.readHoldingRegisters(addr, words[0]);
                console.log(answer.data.map((w) => w.toString(16).padStart(4, "0")).join(" "));
                continue;
            }
            if (words.length === 1) await client.writeRegister(addr, words[0]);
            else await client.writeRegisters(addr, words);
            console.log("ok");
        } catch (err) {
            console.log("exception " + (err.modbusCode || err.message));
        }
    }
    client.close(() => process.exit(0));
}
main();
