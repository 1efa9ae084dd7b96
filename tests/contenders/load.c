/* A load generator for echo servers that costs far less than the server it asks.

   load echo PORT CONNECTIONS BYTES SECONDS   each connection always has one message under way;
                                              prints: messages, seconds, p50 and p99 in
                                              microseconds, and messages with those of the warm-up
   load idle PORT CONNECTIONS                 connects, has one byte echoed on each, prints "ready",
                                              and keeps all connections until its input ends
   load burst PORT CONNECTIONS                connects all at the same moment, sends 64 bytes on each;
                                              prints the seconds until the last one has its echo      */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 0.1 /* seconds at the start whose messages do not count */

typedef struct {
    int fd;
    size_t to_send, to_receive;
    double began;
} Conn;

static struct sockaddr_in server;
static char out[1 << 20], in[1 << 20];
static size_t size = 64;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int open_socket(int flags) {
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0), on = 1;
    if (fd < 0) fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
        fail("connect");
    return fd;
}

static void send_more(Conn *c) {
    while (c->to_send) {
        ssize_t n = send(c->fd, out, c->to_send, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) fail("send");
        c->to_send -= n;
    }
}

static void begin(Conn *c) {
    c->to_send = c->to_receive = size;
    c->began = now();
    send_more(c);
}

/* Whether the whole echo is there. */
static int receive_more(Conn *c) {
    while (c->to_receive) {
        ssize_t n = recv(c->fd, in, c->to_receive, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        if (n <= 0) fail("recv");
        c->to_receive -= n;
    }
    return 1;
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void add(int poll, Conn *c) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e)) fail("epoll_ctl");
}

static void echo(Conn *conns, int n, double seconds) {
    size_t room = 1 << 22, count = 0, all = 0;
    float *waits = malloc(room * sizeof *waits);
    struct epoll_event events[1024];
    int poll = epoll_create1(0);
    for (int i = 0; i < n; i++) {
        conns[i].fd = open_socket(0);
        add(poll, &conns[i]);
    }
    double start = now(), warm = start + WARM_UP, stop = warm + seconds, end = start;
    int busy = n;
    for (int i = 0; i < n; i++) begin(&conns[i]);
    while (busy) { /* to the last echo: to leave before it is there would reset the connection */
        int ready = epoll_wait(poll, events, 1024, 10000);
        if (ready <= 0) fail("no answer for ten seconds");
        for (int i = 0; i < ready; i++) {
            Conn *c = events[i].data.ptr;
            send_more(c);
            if (!c->to_receive || !receive_more(c)) continue;
            double came = now();
            all++;
            if (came >= stop) {
                busy--;
                continue;
            }
            end = came;
            if (c->began >= warm && count < room) waits[count++] = end - c->began;
            begin(c);
        }
    }
    qsort(waits, count, sizeof *waits, by_value);
    if (!count) fail("no message came back");
    printf("%zu %.6f %.1f %.1f %zu\n", count, end - warm, waits[count / 2] * 1e6,
           waits[count * 99 / 100] * 1e6, all);
}

static void burst(Conn *conns, int n) {
    struct epoll_event events[1024];
    int poll = epoll_create1(0), left = n;
    double start = now();
    for (int i = 0; i < n; i++) {
        conns[i].fd = open_socket(SOCK_NONBLOCK);
        conns[i].to_send = conns[i].to_receive = size;
        add(poll, &conns[i]);
    }
    while (left) {
        int ready = epoll_wait(poll, events, 1024, 30000);
        if (ready <= 0) fail("no answer for thirty seconds");
        for (int i = 0; i < ready; i++) {
            Conn *c = events[i].data.ptr;
            if (!(events[i].events & EPOLLOUT) || !c->to_receive) continue;
            send_more(c);
            left -= receive_more(c);
        }
    }
    printf("%.6f\n", now() - start);
}

static void idle(Conn *conns, int n) {
    for (int i = 0; i < n; i++) {
        char byte = 'x';
        conns[i].fd = open_socket(0);
        if (send(conns[i].fd, &byte, 1, 0) != 1 || recv(conns[i].fd, &byte, 1, 0) != 1)
            fail("no echo");
    }
    printf("ready\n");
    fflush(stdout);
    getchar();
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: see the first lines of load.c\n"), 2;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(atoi(argv[2]));
    int n = atoi(argv[3]);
    Conn *conns = calloc(n, sizeof *conns);
    if (!strcmp(argv[1], "echo") && argc == 6) {
        size = atoi(argv[4]);
        echo(conns, n, atof(argv[5]));
    } else if (!strcmp(argv[1], "idle")) {
        idle(conns, n);
    } else {
        burst(conns, n);
    }
    return 0;
}
