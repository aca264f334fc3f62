/* A Modbus server of libmodbus. Arguments: [--serial PORT] UNIT:MODE:IMAGE ... (see process_test.go for the
 * modes). Prints its port when it listens; ends when standard input does. One connection at a time, like a meter's network card.
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

struct unit {
    const char *mode;
    modbus_mapping_t *map;
    unsigned char known[65536];
    int asked;
};
static struct unit *units[256];

static void load(char *arg)
{
    struct unit *u = calloc(1, sizeof *u);
    int id = atoi(strtok(arg, ":"));
    char line[4096];
    u->mode = strtok(NULL, ":");
    FILE *f = fopen(strtok(NULL, ""), "r");
    u->map = modbus_mapping_new(0, 0, 65536, 0);
    if (u->map) { /* functions 3 and 4 read the same registers */
        u->map->nb_input_registers = 65536;
        u->map->tab_input_registers = u->map->tab_registers;
    }
    if (!f || !u->map) {
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
    units[id] = u;
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
