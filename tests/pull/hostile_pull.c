// A knarr-pull that turned against knarr: what it does is said by SSL_CERT_DIR, one of the few
// variables that knarr hands on. The wire is src/rpc/transfer.h.

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    wire_version = KNARR_TRANSFER_VERSION,
    socket_fd = 3,
    fetch_type = 3,
    notice_type = 17,
    done_type = 18
};

static void put(unsigned char* at, unsigned long long value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
        at[i] = (unsigned char)(value >> (8 * i));
    }
}

static int notice(void) {
    unsigned char packet[] = {wire_version, notice_type, 1, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'};
    return send(socket_fd, packet, sizeof packet, MSG_NOSIGNAL) > 0;
}

/// Waits for the first fetch; its pipe, or -1.
static int fetch(void) {
    for (;;) {
        char bytes[65536];
        struct iovec part = {bytes, sizeof bytes};
        char control[CMSG_SPACE(sizeof(int))];
        struct msghdr message = {0};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        if (recvmsg(socket_fd, &message, 0) <= 0) {
            return -1;
        }
        const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
        if (bytes[1] == fetch_type && header != NULL) {
            int pipe = -1;
            memcpy(&pipe, CMSG_DATA(header), sizeof pipe);
            return pipe;
        }
    }
}

int main(void) {
    const char* way = getenv("SSL_CERT_DIR");
    const int pipe = fetch();
    if (way == NULL || pipe < 0) {
        return 2;
    }
    if (strcmp(way, "talk") == 0) {
        while (notice()) {
        }
    } else if (strcmp(way, "endless") == 0) {
        char bytes[4096];
        memset(bytes, '[', sizeof bytes);
        while (write(pipe, bytes, sizeof bytes) > 0) {
        }
    } else if (strcmp(way, "lie") == 0) {
        unsigned char packet[15] = {wire_version, done_type, 1};
        put(packet + 6, 1ULL << 40, 8);
        (void)!write(pipe, "{}", 2);
        (void)send(socket_fd, packet, sizeof packet, MSG_NOSIGNAL);
        close(pipe);
        pause();
    } else if (strcmp(way, "silent") == 0) {
        pause();
    } else if (strcmp(way, "nonsense") == 0) {
        const unsigned char packet[] = {wire_version, 255, 'x'};
        (void)send(socket_fd, packet, sizeof packet, MSG_NOSIGNAL);
        pause();
    }
    return 0;
}
