/* A Modbus server of libmodbus. Arguments: [--serial PORT] UNIT:MODE:IMAGE ... (see process_test.go for the
 * modes). A unit of the mode session serves the logs of the file behind --logs besides, by the manual's description, but for those
 * that need function 0x23. Prints its port when it listens; ends when standard input does. One connection at a time, like a meter's network card.
 * On a serial line the library answers for one unit: a byte on standard input is the number of the next one. */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* a log's memory: the records at their indexes, those of a disabled log none */
struct memory {
    int number, status, max, size, n;
    uint8_t records[256][64];
};
static struct memory logs[16];
static int nlogs;

/* the log session of the one unit that has some */
static struct {
    int port, log, enable, per, repeats, index, moves;
} ses = {.log = -1};

struct unit {
    const char *mode;
    modbus_mapping_t *map;
    unsigned char known[65536];
    int asked;
};
static struct unit *units[256];

static void registers(struct unit *u, const char *path)
{
    char line[4096];
    FILE *f = fopen(path, "r");
    if (!f) {
        perror("image");
        exit(1);
    }
    while (fgets(line, sizeof line, f)) {
        char *words = strchr(line, ':'), *end;
        if (line[0] == '#' || !words)
            continue;
        long at = strtol(line, NULL, 16);
        for (words++;; words = end) {
            long v = strtol(words, &end, 16);
            if (end == words)
                break;
            u->map->tab_registers[at] = (uint16_t)v;
            u->known[at++] = 1;
        }
    }
    fclose(f);
}

static void load(char *arg)
{
    struct unit *u = calloc(1, sizeof *u);
    int id = atoi(strtok(arg, ":"));
    u->mode = strtok(NULL, ":");
    u->map = modbus_mapping_new(0, 0, 65536, 0);
    if (!u->map) {
        perror("image");
        exit(1);
    }
    /* functions 3 and 4 read the same registers */
    u->map->nb_input_registers = 65536;
    u->map->tab_input_registers = u->map->tab_registers;
    char *path = strtok(NULL, ""), *slash = strrchr(path, '/'), settings[4096];
    registers(u, path);
    if (!strcmp(u->mode, "session")) {
        snprintf(settings, sizeof settings, "%.*ssession.regs", slash ? (int)(slash + 1 - path) : 0, path);
        registers(u, settings);
    }
    units[id] = u;
}

/* load_logs reads lines "port N", "log NUMBER STATUS MAX SIZE", "off NUMBER STATUS" and "rec HEX" */
static void load_logs(const char *path)
{
    char line[4096], hex[4096];
    FILE *f = fopen(path, "r");
    if (!f) {
        perror("logs");
        exit(1);
    }
    while (fgets(line, sizeof line, f)) {
        struct memory *m = &logs[nlogs];
        if (sscanf(line, "port %d", &ses.port) == 1)
            continue;
        if (sscanf(line, "log %d %x %d %d", &m->number, (unsigned *)&m->status, &m->max, &m->size) == 4 ||
            sscanf(line, "off %d %x", &m->number, (unsigned *)&m->status) == 2) {
            nlogs++;
        } else if (nlogs && sscanf(line, "rec %4095s", hex) == 1) {
            uint8_t *r = logs[nlogs - 1].records[logs[nlogs - 1].n++];
            for (int i = 0; i < 64 && hex[2 * i]; i++)
                sscanf(hex + 2 * i, "%2hhx", &r[i]);
        }
    }
    fclose(f);
}

/* put lays bytes over registers */
static void put(struct unit *u, int at, const uint8_t *b, int n)
{
    for (int i = 0; i + 1 < n; i += 2)
        u->map->tab_registers[at + i / 2] = (uint16_t)(b[i] << 8 | b[i + 1]);
}

static void put_word(uint8_t *b, unsigned v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static void put_long(uint8_t *b, unsigned v)
{
    put_word(b, v >> 16);
    put_word(b + 2, v);
}

/* overlay lays what the session shows over registers addr to addr + count that are read now, and moves on behind the window's last */
static void overlay(struct unit *u, int addr, int count)
{
    for (int i = 0; i < nlogs; i++) {
        struct memory *m = &logs[i];
        uint8_t b[32] = {0};
        if (m->n) {
            put_long(b, (unsigned)m->max);
            put_long(b + 4, (unsigned)m->n);
            put_word(b + 8, (unsigned)m->size);
            put_word(b + 10, i == ses.log ? (unsigned)ses.port : 0);
            memcpy(b + 12, m->records[0], 6);
            memcpy(b + 18, m->records[m->n - 1], 6);
        } else {
            b[10] = b[11] = 0xff;
        }
        put(u, m->status, b, 32);
    }
    memset(&u->map->tab_registers[0xC34E], 0, 2 * (0xC3CE - 0xC34E));
    u->map->tab_registers[0xC34F] = (uint16_t)ses.enable;
    if (ses.log < 0)
        return;
    struct memory *m = &logs[ses.log];
    int unready = ses.moves % 5 == 4;
    uint8_t head[10], window[246];
    memset(window, 0xff, sizeof window);
    put_word(head, (unsigned)ses.port);
    put_word(head + 2, (unsigned)ses.enable);
    head[4] = (uint8_t)ses.per;
    head[5] = (uint8_t)ses.repeats;
    put_long(head + 6, (unsigned)ses.index | (unready ? 0xFF000000u : 0));
    put(u, 0xC34E, head, 10);
    for (int i = 0; !unready && i < ses.per && ses.index + i < m->n && (i + 1) * m->size <= 246; i++)
        memcpy(window + i * m->size, m->records[ses.index + i], (size_t)m->size);
    put(u, 0xC353, window, 246);
    if (unready && addr <= 0xC351 && addr + count > 0xC351)
        ses.moves++; /* ready at the next reading */
    if (!unready && addr <= 0xC3CD && addr + count > 0xC3CD && ses.repeats) {
        ses.index += ses.per;
        ses.moves++;
    }
}

static void written(int at, int v)
{
    if (at == 0xC34F) {
        ses.enable = v;
        ses.log = -1;
        for (int i = 0; i < nlogs; i++)
            if (v & 0x80 && logs[i].n && logs[i].number == v >> 8)
                ses.log = i;
        ses.per = ses.repeats = ses.index = 0;
    } else if (ses.log >= 0 && at == 0xC350) {
        ses.per = v >> 8;
        ses.repeats = v & 0xFF;
    } else if (ses.log >= 0 && at == 0xC351) {
        ses.index = (v & 0xFF) << 16 | (ses.index & 0xFFFF);
    } else if (ses.log >= 0 && at == 0xC352) {
        ses.index = (ses.index & 0xFF0000) | v;
    }
}

/* session follows a request of a unit with logs */
static void session(struct unit *u, const uint8_t *q, int addr, int count)
{
    switch (q[0]) {
    case MODBUS_FC_READ_HOLDING_REGISTERS:
    case MODBUS_FC_READ_INPUT_REGISTERS:
        overlay(u, addr, count);
        break;
    case MODBUS_FC_WRITE_SINGLE_REGISTER:
        written(addr, count);
        break;
    case MODBUS_FC_WRITE_MULTIPLE_REGISTERS:
        for (int i = 0; i < count; i++)
            written(addr + i, q[6 + 2 * i] << 8 | q[7 + 2 * i]);
    }
}

static void answer(modbus_t *ctx, const uint8_t *q, int n)
{
    int off = modbus_get_header_length(ctx);
    struct unit *u = units[q[off - 1]];
    if (!u)
        return; /* not our unit: no answer */
    u->asked++;
    int addr = q[off + 1] << 8 | q[off + 2], count = q[off + 3] << 8 | q[off + 4];
    if (!strcmp(u->mode, "absent")) {
        modbus_reply_exception(ctx, q, MODBUS_EXCEPTION_GATEWAY_TARGET);
        return;
    }
    if (!strcmp(u->mode, "busy") && u->asked % 3 == 1) {
        modbus_reply_exception(ctx, q, MODBUS_EXCEPTION_SLAVE_OR_SERVER_BUSY);
        return;
    }
    if (!strcmp(u->mode, "strict") && (q[off] == MODBUS_FC_READ_HOLDING_REGISTERS || q[off] == MODBUS_FC_READ_INPUT_REGISTERS))
        for (int i = 0; i < count; i++)
            if (addr + i > 65535 || !u->known[addr + i]) {
                modbus_reply_exception(ctx, q, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
                return;
            }
    if (!strcmp(u->mode, "slow"))
        usleep(700000);
    if (!strcmp(u->mode, "session"))
        session(u, q + off, addr, count);
    modbus_reply(ctx, q, n, u->map);
}

/* wait for the socket; ends the program with standard input. Who answers on a line is settled before what is asked is read. */
static void await(int s, modbus_t *line)
{
    struct pollfd p[2] = {{s, POLLIN, 0}, {0, POLLIN, 0}};
    char b;
    for (;;) {
        if (poll(p, 2, -1) < 0)
            exit(1);
        if (p[1].revents) {
            if (read(0, &b, 1) <= 0)
                exit(0);
            if (line && modbus_set_slave(line, (unsigned char)b))
                exit(1);
        } else if (p[0].revents) {
            return;
        }
    }
}

/* the frames of a serial line */
static int serial(const char *port, int first)
{
    modbus_t *ctx = modbus_new_rtu(port, 19200, 'N', 8, 1);
    if (!ctx || modbus_set_slave(ctx, first) || modbus_connect(ctx)) {
        perror("serial port");
        return 1;
    }
    printf("port 0\n");
    fflush(stdout);
    for (;;) {
        uint8_t q[MODBUS_RTU_MAX_ADU_LENGTH];
        await(modbus_get_socket(ctx), ctx);
        int n = modbus_receive(ctx, q);
        if (n > 0)
            answer(ctx, q, n);
    }
}

int main(int argc, char **argv)
{
    int line = argc > 3 && !strcmp(argv[1], "--serial"), first = line ? atoi(argv[3]) : 0;
    for (int i = line ? 3 : 1; i < argc; i++)
        if (!strcmp(argv[i], "--logs") && i + 1 < argc)
            load_logs(argv[++i]);
        else
            load(argv[i]);
    if (line)
        return serial(argv[2], first);
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", 0);
    int s = modbus_tcp_listen(ctx, 4);
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    if (s < 0 || getsockname(s, (struct sockaddr *)&a, &len)) {
        perror("listen");
        return 1;
    }
    printf("port %d\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) {
        uint8_t q[MODBUS_TCP_MAX_ADU_LENGTH];
        await(s, NULL);
        if (modbus_tcp_accept(ctx, &s) < 0)
            return 1;
        for (;;) {
            await(modbus_get_socket(ctx), NULL);
            int n = modbus_receive(ctx, q);
            if (n < 0)
                break;
            if (n > 0)
                answer(ctx, q, n);
        }
        modbus_close(ctx);
    }
}
