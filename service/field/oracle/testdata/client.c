/* Reads a Modbus TCP server with libmodbus: see client.py for the lines that it takes; it has no
 * function 0x23. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    modbus_set_slave(ctx, atoi(argv[2]));
    modbus_set_response_timeout(ctx, 10, 0);
    if (modbus_connect(ctx)) {
        perror("connect");
        return 1;
    }
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        uint16_t words[256];
        int n = 0, done;
        char *at = strchr(line, ' '), *end;
        for (; at; at = end) {
            long v = strtol(at, &end, 16);
            if (end == at || n == 256)
                break;
            words[n++] = (uint16_t)v;
        }
        int read = !strncmp(line, "read ", 5), count = words[1];
        uint16_t out[256];
        if (read)
            done = modbus_read_registers(ctx, words[0], count, out);
        else if (n == 2)
            done = modbus_write_register(ctx, words[0], words[1]);
        else
            done = modbus_write_registers(ctx, words[0], n - 1, words + 1);
        if (done < 0 && errno > MODBUS_ENOBASE && errno < MODBUS_ENOBASE + MODBUS_EXCEPTION_MAX)
            printf("exception %d\n", errno - MODBUS_ENOBASE);
        else if (done < 0)
            printf("exception %s\n", modbus_strerror(errno));
        else if (!read)
            printf("ok\n");
        else {
            for (int i = 0; i < count; i++)
                printf(i ? " %04x" : "%04x", out[i]);
            printf("\n");
        }
        fflush(stdout);
    }
    modbus_close(ctx);
    return 0;
}
