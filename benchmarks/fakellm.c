/* fakellm: a fake OpenAI-compatible model server. One thread, epoll, Linux; loopback only.
 *
 *   cc -O2 -o fakellm fakellm.c -lm
 *   ./fakellm --port 0 --latency 200 --slots 64          prints "listening PORT" and serves until it is killed
 *
 * POST {anything}/chat/completions      one answer; with "stream":true server-sent events and [DONE]: three, or paced ones (below)
 * POST {anything}/completions           one raw completion (choices[0].text), streamed or not
 * GET  {anything}/models                one model, `fake`
 * GET  /stats · /reset                  the counters as JSON · all to zero, bodies seen forgotten
 * GET  /set?latency=50&slots=8&…        change any option while it runs
 *
 * Options (as --name value, or name=value in /set):
 *   port         0 binds any free port
 *   latency      ms of service of one call, once it holds a slot
 *   dist sigma   fixed (default), or lognormal with median `latency` and log-sd `sigma`
 *   slots        calls in service at once, 0 = unbounded; the others wait in the order of arrival
 *   reply-bytes  length of a reply, about
 *   stream-chunks stream-pause   a stream has so many content events, the first after `latency`, then one every so many ms,
 *                each by a write of its own; 0 (default): three events, at once
 *   verdicts     1 (default) ends the answer to a supervisor's question with a verdict; 0 answers it like any other
 *   p429 p500 preset ptrunc phang   probability that a call is answered 429, 500, by a reset, by half an answer, or never
 *   retry-after  seconds, sent with each 429
 *   down         (only /set) refuse connections and drop the open ones for that many seconds, then serve again
 *   with-parent  1 dies with the thread that started it
 *   seed         of replies, latencies and faults
 *
 * Replies and latencies are a function of the request's bytes and the seed: the same request is always answered the
 * same, after the same time. Faults also depend on the number of the request, so that a repeat draws anew.
 * Replies are Chinese where the request holds CJK, else English: first-person clauses without a farewell, thanks, label,
 * line break or list, so that nothing in them ends a session or fails a reply check. There are billions of them.
 * A request that names json_object or json_schema is answered with an object (choice 1–3, score 1–5, reason).
 * A request that holds `标签：A、B、C` or `Labels: A, B, C` (as UTF-8, not as escapes) is a supervisor's question: its answer
 * has a second line, `结论：X` or `Verdict: X`, X one of the last such labels, drawn by the request's bytes.
 * `repeated_bodies` counts the requests whose very bytes had come before: calls that are paid for twice.
 *
 * A paced stream counts: event 12 says `第12句，` or `word 12, `, and the last one ends with a full stop, so that a reader sees
 * what is lost or out of order. Then come the finish, usage where `include_usage` is asked for, and [DONE]. With ptrunc it breaks
 * off half-way. A client that leaves is noticed at once: the slot is free, `streams_cut` counts it, `last_cut_ns` is when
 * (CLOCK_MONOTONIC, as Python's time.monotonic_ns()). `stream_events` counts the content events written.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define MAX_FD 65536
#define MAX_REPLY 16384

typedef struct Conn {
    int fd, busy, closed, wants_out;
    int streaming; /* a paced stream holds a slot on behalf of this connection */
    char *in, *out;
    size_t in_len, in_cap, out_len, out_off, out_cap;
} Conn;
enum { IDLE, SERVED, HANGING }; /* Conn.busy; one call at a time, what is pipelined waits in `in` */

typedef enum { ANSWER, E429, E500, RESET, TRUNCATED, HANG } Fate;

typedef struct Req {
    Conn *conn;
    uint64_t due, hash;
    Fate fate;
    int stream, raw, json, chinese, with_usage;
    unsigned chunks, written; /* of a paced stream; chunks 0: anything else */
    uint64_t pause;
    char verdict; /* 0: nobody asked for one */
    unsigned prompt_tokens;
    char model[48];
} Req;

/* ---- options and counters, both reachable by name ---- */

static double port = 9000, latency, sigma = 0.5, lognormal, slots, reply_bytes = 150, p429, p500, preset, ptrunc, phang, retry_after = 1, seed = 1, verdicts = 1, down, with_parent,
    stream_chunks, stream_pause = 20;
static const struct { const char *name; double *value; } OPTIONS[] = {
    {"port", &port}, {"latency", &latency}, {"sigma", &sigma}, {"dist", &lognormal}, {"slots", &slots}, {"reply-bytes", &reply_bytes},
    {"p429", &p429}, {"p500", &p500}, {"preset", &preset}, {"ptrunc", &ptrunc}, {"phang", &phang}, {"retry-after", &retry_after},
    {"seed", &seed}, {"verdicts", &verdicts}, {"down", &down}, {"with-parent", &with_parent},
    {"stream-chunks", &stream_chunks}, {"stream-pause", &stream_pause},
};

static uint64_t requests, answered, n429, n500, resets, truncated, hung, client_gone, repeated, bytes_in, bytes_out, opened, conns_now,
    in_flight, in_flight_max, in_service, in_service_max, queued_max, service_ns, first_ns, last_ns, reset_ns,
    stream_events, streams_cut, last_cut_ns;
static const struct { const char *name; uint64_t *value; int kept; } COUNTERS[] = { /* kept: a level, not a count; outlives /reset */
    {"requests", &requests, 0}, {"ok", &answered, 0}, {"e429", &n429, 0}, {"e500", &n500, 0}, {"reset", &resets, 0}, {"truncated", &truncated, 0},
    {"hung", &hung, 0}, {"client_gone", &client_gone, 0}, {"repeated_bodies", &repeated, 0}, {"bytes_in", &bytes_in, 0}, {"bytes_out", &bytes_out, 0},
    {"connections_opened", &opened, 0}, {"connections_now", &conns_now, 1}, {"in_flight", &in_flight, 1}, {"in_flight_max", &in_flight_max, 0},
    {"in_service", &in_service, 1}, {"in_service_max", &in_service_max, 0}, {"queued_max", &queued_max, 0},
    {"stream_events", &stream_events, 0}, {"streams_cut", &streams_cut, 0}, {"last_cut_ns", &last_cut_ns, 0},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- small tools ---- */

static uint64_t now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (uint64_t)t.tv_sec * SECOND + t.tv_nsec; }

/* splitmix64 */
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15ull; x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull; x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}
static double uniform(uint64_t x) { return (double)(mix(x) >> 11) * (1.0 / 9007199254740992.0); }

static void *grow(void *p, size_t n) { p = realloc(p, n); if (!p) { perror("realloc"); exit(1); } return p; }

/* FNV-like, 8 bytes a step */
static uint64_t hash_of(const char *b, size_t n) {
    uint64_t h = 1469598103934665603ull, v;
    for (; n >= 8; b += 8, n -= 8) { memcpy(&v, b, 8); h = (h ^ v) * 1099511628211ull; h ^= h >> 29; }
    for (; n; b++, n--) { h = (h ^ (unsigned char)*b) * 1099511628211ull; h ^= h >> 29; }
    return mix(h);
}

static int holds(const char *b, size_t n, const char *s) { return memmem(b, n, s, strlen(s)) != NULL; }

/* CJK as UTF-8, or as \uXXXX escapes */
static int holds_cjk(const char *b, size_t n) {
    for (size_t i = 0; i + 5 < n; i++) {
        unsigned char c = b[i];
        if ((c >= 0xE4 && c <= 0xE9) || (c == '\\' && b[i + 1] == 'u' && b[i + 2] >= '4' && b[i + 2] <= '9')) return 1;
    }
    return 0;
}

/* the hashes of the bodies seen: an open-addressed set of 2^22, which forgets beyond that rather than slow down */
#define SEEN (1u << 22)
static uint64_t *seen;
static int seen_before(uint64_t h) {
    uint64_t key = h ? h : 1;
    size_t at = key & (SEEN - 1);
    for (int tries = 0; tries < 64; tries++, at = (at + 1) & (SEEN - 1)) {
        if (seen[at] == key) return 1;
        if (!seen[at]) { seen[at] = key; return 0; }
    }
    return 0;
}

static int set_option(const char *name, const char *value) {
    for (size_t i = 0; i < COUNT(OPTIONS); i++)
        if (!strcmp(name, OPTIONS[i].name)) {
            *OPTIONS[i].value = OPTIONS[i].value == &lognormal ? !strcmp(value, "lognormal") : atof(value);
            return 1;
        }
    return 0;
}

static void reset_stats(void) {
    for (size_t i = 0; i < COUNT(COUNTERS); i++) if (!COUNTERS[i].kept) *COUNTERS[i].value = 0;
    in_flight_max = in_flight; in_service_max = in_service;
    service_ns = first_ns = last_ns = 0; reset_ns = now();
    free(seen); /* fresh pages cost nothing until they are touched */
    seen = calloc(SEEN, sizeof *seen);
    if (!seen) { perror("calloc"); exit(1); }
}

/* ---- calls in service (a heap by due time) and calls that wait for a slot (a ring) ---- */

static Req *heap, *ring;
static size_t heap_len, heap_cap, ring_head, ring_len, ring_cap;

static void heap_push(Req r) {
    if (heap_len == heap_cap) heap = grow(heap, (heap_cap = heap_cap ? heap_cap * 2 : 1024) * sizeof *heap);
    size_t i = heap_len++;
    for (; i && heap[(i - 1) / 2].due > r.due; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = r;
}
static Req heap_pop(void) {
    Req top = heap[0], last = heap[--heap_len];
    size_t i = 0, child;
    for (; (child = 2 * i + 1) < heap_len; i = child) {
        if (child + 1 < heap_len && heap[child + 1].due < heap[child].due) child++;
        if (last.due <= heap[child].due) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}
static void ring_push(Req r) {
    if (ring_len == ring_cap) {
        size_t cap = ring_cap ? ring_cap * 2 : 1024;
        Req *bigger = grow(NULL, cap * sizeof *bigger);
        for (size_t i = 0; i < ring_len; i++) bigger[i] = ring[(ring_head + i) % ring_cap];
        free(ring); ring = bigger; ring_cap = cap; ring_head = 0;
    }
    ring[(ring_head + ring_len++) % ring_cap] = r;
    if (ring_len > queued_max) queued_max = ring_len;
}
static Req ring_pop(void) { Req r = ring[ring_head]; ring_head = (ring_head + 1) % ring_cap; ring_len--; return r; }

/* ---- connections ---- */

static int epoll, listener = -1;
static Conn *conns[MAX_FD]; /* the open ones, by descriptor */
static Conn **grave;        /* closed ones, freed at the end of the round, and only once no call refers to them */
static size_t grave_len, grave_cap;

static void bury(Conn *c) {
    if (grave_len == grave_cap) grave = grow(grave, (grave_cap = grave_cap ? grave_cap * 2 : 256) * sizeof *grave);
    grave[grave_len++] = c;
}
static void free_buried(void) {
    for (; grave_len; grave_len--) { Conn *c = grave[grave_len - 1]; free(c->in); free(c->out); free(c); }
}
static void close_conn(Conn *c) {
    if (c->closed) return;
    c->closed = 1; conns[c->fd] = NULL; close(c->fd); conns_now--;
    if (c->streaming) { c->streaming = 0; in_service--; in_flight--; streams_cut++; last_cut_ns = now(); }
    if (c->busy != SERVED) bury(c);
}
static void watch_output(Conn *c, int on) {
    if (c->wants_out == on) return;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (on ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e); c->wants_out = on;
}
static void flush(Conn *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_off, c->out_len - c->out_off);
        if (n > 0) { c->out_off += n; bytes_out += n; }
        else if (n < 0 && errno == EAGAIN) { watch_output(c, 1); return; }
        else { close_conn(c); return; }
    }
    c->out_off = c->out_len = 0;
    watch_output(c, 0);
}
static void emit(Conn *c, const char *s, size_t n) {
    if (c->out_len + n > c->out_cap) c->out = grow(c->out, c->out_cap = (c->out_len + n) * 2 + 512);
    memcpy(c->out + c->out_len, s, n); c->out_len += n;
}
static void respond(Conn *c, const char *status, const char *headers, const char *body, size_t n) {
    char head[256];
    emit(c, head, snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", status, headers, n));
    emit(c, body, n);
    flush(c);
}
static void respond_text(Conn *c, const char *status, const char *headers, const char *body) { respond(c, status, headers, body, strlen(body)); }

static int open_listener(int listening) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    if (bind(fd, (void *)&a, n) || (listening && listen(fd, 8192)) || getsockname(fd, (void *)&a, &n)) { perror("fakellm: bind"); exit(1); }
    port = ntohs(a.sin_port);
    return fd;
}
static void watch_listener(void) { struct epoll_event e = {.events = EPOLLIN}; epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e); }

static uint64_t up_again; /* 0 while it listens */
static void go_down(void) {
    close(listener);
    listener = open_listener(0); /* bound and deaf: connecting is refused, and nobody else can take the port */
    up_again = now() + (uint64_t)(down * SECOND);
    down = 0;
    for (int fd = 0; fd < MAX_FD; fd++) if (conns[fd]) { if (conns[fd]->busy == HANGING) conns[fd]->busy = IDLE; close_conn(conns[fd]); }
}
static void come_back(void) { up_again = 0; if (listen(listener, 8192)) { perror("fakellm: listen"); exit(1); } watch_listener(); }

/* ---- replies ---- */

static const char *EN[] = {
    "I keep waking up at four, ", "my chest gets tight, ", "work has piled up again, ", "my mother calls every evening, ", "I put things off until night, ",
    "nobody at the office notices, ", "we argued about money, ", "I could not say what I meant, ", "the house feels too quiet, ", "I replay that talk all day, ",
    "my appetite comes and goes, ", "I said yes when I meant no, ", "my sister sees it differently, ", "it started in the spring, ", "I feel tired before noon, ",
    "the exam is three weeks away, ", "I compare myself with everyone, ", "some days are lighter, ", "I walk by the river then, ", "I used to paint on Sundays, ",
    "he only looks at his phone, ", "I am afraid to disappoint them, ", "the new manager is strict, ", "I wrote it down last night, ", "my hands were shaking, ",
    "I do not trust my own choice, ", "we moved here in autumn, ", "old friends live far away, ", "I count the hours of sleep, ", "part of me is angry, ",
};
static const char *ZH[] = {
    "我最近总是睡不好，", "心里有点乱，", "那件事一直压在心上，", "家里人不太懂我，", "工作越来越忙，", "有时候很想哭，", "也不知道从哪里说起，", "昨天晚上又吵了一架，",
    "身体也跟着累，", "朋友劝过我几次，", "可是我还是放不下，", "白天总是走神，", "我怕自己做得不够好，", "领导对我要求很高，", "孩子的成绩让我着急，", "我妈每天都打电话来，",
    "我把话都憋在心里，", "一到晚上就想很多，", "饭也吃不下，", "我和他很久没有好好说话了，", "其实我也很委屈，", "我常常拿自己和别人比，", "考试的日子越来越近，", "我总觉得是我的错，",
    "上个月我搬到了新的城市，", "周末也只想躺着，", "我以前很喜欢画画，", "现在什么都提不起劲，", "有几天会轻松一点，", "我答应了不想答应的事，", "手心一直在出汗，", "我说不清那是什么感觉，",
};

/* Whole clauses up to `want` bytes, at least one; the last comma becomes a full stop. Returns the length. */
static size_t make_reply(char *to, uint64_t hash, size_t want, int chinese) {
    const char **clauses = chinese ? ZH : EN, *comma = chinese ? "，" : ", ", *stop = chinese ? "。" : ".";
    size_t count = chinese ? COUNT(ZH) : COUNT(EN), n = 0;
    if (want > MAX_REPLY - 64) want = MAX_REPLY - 64;
    for (uint64_t x = hash;;) {
        const char *clause = clauses[(x = mix(x)) % count];
        size_t len = strlen(clause);
        if (n && n + len > want) break;
        memcpy(to + n, clause, len); n += len;
    }
    n -= strlen(comma);
    memcpy(to + n, stop, strlen(stop) + 1);
    return n + strlen(stop);
}

/* Write a line with the verdict behind a reply, as JSON. Returns the length of both. */
static size_t add_verdict(char *reply, size_t n, char label, int chinese) {
    return n + sprintf(reply + n, "\\n%s%c", chinese ? "结论：" : "Verdict: ", label);
}

static void emit_chunk(Conn *c, const char *data, int n) { char size[16]; emit(c, size, sprintf(size, "%x\r\n", n)); emit(c, data, n); emit(c, "\r\n", 2); }

/* One content event, in the words of chat or of raw completion. */
static void emit_event(Req *r, const char *text, int n, const char *role) {
    static char chunk[MAX_REPLY * 2];
    unsigned long long id = r->hash;
    int len = r->raw
        ? snprintf(chunk, sizeof chunk, "data: {\"id\":\"cmpl-%016llx\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"%s\","
                   "\"choices\":[{\"index\":0,\"text\":\"%.*s\",\"finish_reason\":null}]}\n\n", id, r->model, n, text)
        : snprintf(chunk, sizeof chunk, "data: {\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"%s\","
                   "\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"%.*s\"},\"finish_reason\":null}]}\n\n", id, r->model, role, n, text);
    emit_chunk(r->conn, chunk, len);
}
/* The finish, with usage in it, behind it or nowhere, and [DONE]. */
enum { NOWHERE, WITHIN, BEHIND };
static void emit_end(Req *r, unsigned tokens, int usage_where) {
    char chunk[1024], head[256], usage[128];
    int n = 0;
    snprintf(head, sizeof head, "data: {\"id\":\"%s-%016llx\",\"object\":\"%s\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[", r->raw ? "cmpl" : "chatcmpl",
             (unsigned long long)r->hash, r->raw ? "text_completion" : "chat.completion.chunk", r->model);
    snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u}", r->prompt_tokens, tokens, r->prompt_tokens + tokens);
    n += sprintf(chunk + n, "%s{\"index\":0,%s,\"finish_reason\":\"stop\"}]%s}\n\n", head, r->raw ? "\"text\":\"\"" : "\"delta\":{}", usage_where == WITHIN ? usage : "");
    if (usage_where == BEHIND) n += sprintf(chunk + n, "%s]%s}\n\n", head, usage);
    n += sprintf(chunk + n, "data: [DONE]\n\n");
    emit_chunk(r->conn, chunk, n);
    emit(r->conn, "0\r\n\r\n", 5);
    flush(r->conn);
}
static const char *STREAM_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char *ROLE = "\"role\":\"assistant\",";

static void stream_answer(Req *r, const char *text, unsigned tokens) {
    int len = (int)strlen(text), half = len / 2;
    while (half && ((unsigned char)text[half] & 0xC0) == 0x80) half--; /* never within a character */
    emit(r->conn, STREAM_HEAD, strlen(STREAM_HEAD));
    emit_event(r, text, half, ROLE);
    emit_event(r, text + half, len - half, ROLE);
    emit_end(r, tokens, WITHIN);
}

static void answer(Req *r) {
    static const char *CHAT = "{\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[{\"index\":0,"
                              "\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                              "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u}}";
    static const char *RAW = "{\"id\":\"cmpl-%016llx\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[{\"index\":0,"
                             "\"text\":\"%s\",\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                             "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u}}";
    static char reply[MAX_REPLY], object[MAX_REPLY + 128], body[MAX_REPLY + 1024];
    const char *text = reply;
    size_t length = make_reply(reply, r->hash, (size_t)reply_bytes, r->chinese);
    if (r->verdict && !r->json) length = add_verdict(reply, length, r->verdict, r->chinese);
    unsigned tokens = length / 4 + 1;
    if (r->json) {
        snprintf(object, sizeof object, "{\\\"choice\\\": %d, \\\"score\\\": %d, \\\"reason\\\": \\\"%s\\\"}", (int)(r->hash % 3) + 1, (int)(r->hash % 5) + 1, reply);
        text = object;
    }
    if (r->stream) { answered++; stream_answer(r, text, tokens); return; }
    int n = snprintf(body, sizeof body, r->raw ? RAW : CHAT, (unsigned long long)r->hash, r->model, text, r->prompt_tokens, tokens, r->prompt_tokens + tokens);
    if (r->fate == TRUNCATED) { truncated++; n /= 2; } else answered++;
    respond(r->conn, "200 OK", "", body, n);
}

/* ---- the life of a call: arrive, wait for a slot, be served, be answered ---- */

static void process(Conn *c);

static void break_off(Conn *c) {
    struct linger at_once = {1, 0};
    resets++; setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); close_conn(c);
}
static void finish(Req *r) {
    Conn *c = r->conn;
    in_flight--; c->busy = IDLE;
    if (c->closed) { client_gone++; bury(c); return; }
    last_ns = now();
    if (r->fate == RESET) { break_off(c); return; }
    answer(r);
    if (!c->closed) process(c);
}
static void begin_service(Req r) {
    double ms = latency;
    if (r.chunks && r.conn->closed) { client_gone++; in_flight--; r.conn->busy = IDLE; bury(r.conn); return; } /* while it waited for a slot */
    if (lognormal) {
        uint64_t h = mix(r.hash ^ (uint64_t)seed * 0x1234567ull);
        ms *= exp(sigma * sqrt(-2 * log(fmax(uniform(h ^ 1), 1e-12))) * cos(2 * M_PI * uniform(h ^ 2)));
    }
    service_ns += (uint64_t)(ms * 1e6);
    r.due = now() + (uint64_t)(ms * 1e6);
    if (ms <= 0 && !r.chunks) { finish(&r); return; }
    r.conn->streaming = r.chunks > 0;
    if (++in_service > in_service_max) in_service_max = in_service;
    heap_push(r);
}
static int slot_free(void) { return slots <= 0 || in_service < (uint64_t)slots; }

/* The next event of a paced stream, or its end. Returns whether there is more to come. */
static int go_on(Req *r) {
    Conn *c = r->conn;
    char text[48];
    if (c->closed || r->fate == RESET) return 0;
    if (!r->written) emit(c, STREAM_HEAD, strlen(STREAM_HEAD));
    if (r->fate == TRUNCATED && r->written > r->chunks / 2) return 0;
    unsigned number = ++r->written, last = number == r->chunks;
    int n = r->chinese ? sprintf(text, "第%u句%s", number, last ? "。" : "，") : sprintf(text, "word %u%s", number, last ? "." : ", ");
    stream_events++;
    emit_event(r, text, n, number == 1 ? ROLE : "");
    flush(c);
    r->due += r->pause; /* by the clock, not by when its turn came: lateness does not add up */
    if (!last) service_ns += r->pause;
    return !last && !c->closed;
}
/* A paced stream that has nothing more to say gives its slot back; a cut one has given it back already. */
static void end_stream(Req *r) {
    Conn *c = r->conn;
    c->busy = IDLE;
    if (c->closed) { bury(c); return; }
    c->streaming = 0; in_service--; in_flight--; last_ns = now();
    if (r->fate == RESET) { break_off(c); return; }
    if (r->fate == TRUNCATED) { truncated++; close_conn(c); return; }
    answered++;
    emit_end(r, r->chunks, r->with_usage ? BEHIND : NOWHERE);
    if (!c->closed) process(c);
}
static void finish_due(void) {
    uint64_t until = now(); /* what falls due meanwhile waits for the next round, else a busy server would never look at its clients */
    while (heap_len && heap[0].due <= until) {
        Req r = heap_pop();
        if (!r.chunks) { in_service--; finish(&r); }
        else if (go_on(&r)) heap_push(r);
        else end_stream(&r);
        while (ring_len && slot_free()) begin_service(ring_pop());
    }
    while (ring_len && slot_free()) begin_service(ring_pop());
}

static Fate draw_fate(uint64_t hash) {
    double u = uniform(hash ^ (requests * 0x51ull) ^ (uint64_t)seed);
    if ((u -= p429) < 0) return E429;
    if ((u -= p500) < 0) return E500;
    if ((u -= preset) < 0) return RESET;
    if ((u -= ptrunc) < 0) return TRUNCATED;
    return u - phang < 0 ? HANG : ANSWER;
}

/* One of the labels that a supervisor's question lists last, drawn by the hash; 0 where none are listed. */
static char draw_verdict(const char *body, size_t n, uint64_t hash) {
    static const char *WORDS[] = {"标签：", "Labels: "}, *BETWEEN[] = {"、", ", "};
    const char *end = body + n, *last = NULL, *between = NULL;
    for (int language = 0; language < 2; language++)
        for (const char *at = body; (at = memmem(at, end - at, WORDS[language], strlen(WORDS[language])));) {
            at += strlen(WORDS[language]);
            if (at > last) { last = at; between = BETWEEN[language]; }
        }
    char labels[26];
    size_t count = 0;
    while (last && last < end && *last >= 'A' && *last <= 'Z' && count < sizeof labels) {
        labels[count++] = *last++;
        size_t step = strlen(between);
        if ((size_t)(end - last) < step || memcmp(last, between, step)) break;
        last += step;
    }
    if (count) return labels[mix(hash ^ 0x7e4d1c7ull) % count];
    return 0;
}

static Req read_call(Conn *c, const char *path, const char *body, size_t n) {
    Req r = {.conn = c, .hash = hash_of(body, n), .prompt_tokens = n / 4 + 1, .model = "fake"};
    r.raw = !strstr(path, "chat/completions");
    r.stream = holds(body, n, "\"stream\":true") || holds(body, n, "\"stream\": true");
    r.with_usage = holds(body, n, "\"include_usage\":true") || holds(body, n, "\"include_usage\": true");
    if (r.stream && stream_chunks >= 1) { r.chunks = (unsigned)stream_chunks; r.pause = (uint64_t)(stream_pause * 1e6); }
    r.json = holds(body, n, "json_object") || holds(body, n, "json_schema");
    r.chinese = holds_cjk(body, n);
    r.verdict = verdicts ? draw_verdict(body, n, r.hash) : 0;
    const char *m = memmem(body, n, "\"model\":", 8), *end = body + n;
    if (m) {
        for (m += 8; m < end && (*m == ' ' || *m == '"'); m++) {}
        size_t k = 0;
        while (k < sizeof r.model - 1 && m < end && *m != '"') r.model[k++] = *m++;
        r.model[k] = 0;
    }
    return r;
}
static void take_call(Req r) {
    requests++;
    if (!first_ns) first_ns = now();
    repeated += seen_before(r.hash);
    char retry[64];
    switch (r.fate = draw_fate(r.hash)) {
    case E429:
        n429++; snprintf(retry, sizeof retry, "Retry-After: %g\r\n", retry_after);
        respond_text(r.conn, "429 Too Many Requests", retry, "{\"error\":{\"message\":\"rate limited\",\"type\":\"rate_limit_error\",\"code\":\"rate_limit_exceeded\"}}");
        return;
    case E500: n500++; respond_text(r.conn, "500 Internal Server Error", "", "{\"error\":{\"message\":\"injected\",\"type\":\"server_error\"}}"); return;
    case HANG: hung++; r.conn->busy = HANGING; return; /* until the client goes */
    default: break;
    }
    if (++in_flight > in_flight_max) in_flight_max = in_flight;
    r.conn->busy = SERVED;
    if (slot_free()) begin_service(r); else ring_push(r);
}

/* ---- HTTP ---- */

static void send_stats(Conn *c) {
    struct rusage u;
    char b[4096];
    int n = 0;
    getrusage(RUSAGE_SELF, &u);
    for (size_t i = 0; i < COUNT(COUNTERS); i++) n += sprintf(b + n, "%s\"%s\":%llu", i ? "," : "{", COUNTERS[i].name, (unsigned long long)*COUNTERS[i].value);
    n += sprintf(b + n, ",\"service_s\":%.6f,\"first_to_last_s\":%.6f,\"since_reset_s\":%.6f,\"cpu_s\":%.6f}\n", service_ns * 1e-9, last_ns > first_ns ? (last_ns - first_ns) * 1e-9 : 0.0,
                 (now() - reset_ns) * 1e-9, u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6);
    respond(c, "200 OK", "", b, n);
}
static void set_options(Conn *c, char *query) {
    const char *status = "200 OK", *message = "{}";
    for (char *pair; (pair = strsep(&query, "&"));) {
        char *value = strchr(pair, '=');
        if (value) *value++ = 0;
        if (!value || !set_option(pair, value)) { status = "400 Bad Request"; message = "{\"error\":{\"message\":\"unknown option\"}}"; }
    }
    respond_text(c, status, "", message);
    if (down > 0) go_down();
}
static void route(Conn *c, char *path, const char *body, size_t n) {
    if (strstr(path, "/completions")) take_call(read_call(c, path, body, n));
    else if (!strcmp(path, "/stats")) send_stats(c);
    else if (!strcmp(path, "/reset")) { reset_stats(); respond_text(c, "200 OK", "", "{}"); }
    else if (!strncmp(path, "/set?", 5)) set_options(c, path + 5);
    else if (strstr(path, "/models")) respond_text(c, "200 OK", "", "{\"object\":\"list\",\"data\":[{\"id\":\"fake\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"fake\"}]}");
    else respond_text(c, "404 Not Found", "", "{\"error\":{\"message\":\"no such path\"}}");
}

/* Serve what lies complete in `in`, one request after the other, until one has to wait. Bodies need a Content-Length. */
static void process(Conn *c) {
    while (!c->closed && c->busy == IDLE && c->in_len) {
        char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4), path[512] = "";
        if (!end) { if (c->in_len > 65536) close_conn(c); return; }
        size_t head = end - c->in + 4, length = 0;
        for (char *line = c->in; line < end; line = (char *)memmem(line, end + 2 - line, "\r\n", 2) + 2)
            if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        if (c->in_len < head + length) return;
        bytes_in += head + length;
        char *from = memchr(c->in, ' ', head), *to = from ? memchr(from + 1, ' ', end - from - 1) : NULL;
        if (to) snprintf(path, sizeof path, "%.*s", (int)(to - from - 1), from + 1);
        char *body = grow(NULL, length + 1); /* routing may answer, close or go on to the next request */
        memcpy(body, c->in + head, length);
        c->in_len -= head + length;
        memmove(c->in, c->in + head + length, c->in_len);
        route(c, path, body, length);
        free(body);
    }
}

static void accept_all(void) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FD) { close(fd); continue; }
        Conn *c = memset(grow(NULL, sizeof *c), 0, sizeof *c);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd; conns[fd] = c; opened++; conns_now++;
        struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
}
static void read_all(Conn *c) {
    for (;;) {
        if (c->in_cap - c->in_len < 16384) c->in = grow(c->in, c->in_cap = c->in_cap ? c->in_cap * 2 : 32768);
        size_t room = c->in_cap - c->in_len;
        ssize_t n = read(c->fd, c->in + c->in_len, room);
        if (n > 0) { c->in_len += n; if ((size_t)n < room) break; }
        else if (n < 0 && errno == EAGAIN) break;
        else { if (c->busy == HANGING) c->busy = IDLE; close_conn(c); return; }
    }
    process(c);
}

static struct timespec *until_next(struct timespec *t) {
    uint64_t next = heap_len ? heap[0].due : 0, from = now();
    if (up_again && (!next || up_again < next)) next = up_again;
    if (!next) return NULL;
    uint64_t wait = next > from ? next - from : 0;
    *t = (struct timespec){wait / SECOND, wait % SECOND};
    return t;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || strncmp(argv[i], "--", 2) || !set_option(argv[i] + 2, argv[i + 1])) { fprintf(stderr, "fakellm: unknown option %s\n", argv[i]); return 2; }
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){MAX_FD, MAX_FD});
    if (with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
    reset_stats();
    epoll = epoll_create1(0);
    listener = open_listener(1);
    watch_listener();
    printf("listening %d\n", (int)port); fflush(stdout);
    for (;;) {
        static struct epoll_event events[512];
        struct timespec wait;
        int n = epoll_pwait2(epoll, events, 512, until_next(&wait), NULL);
        if (n < 0 && errno != EINTR) { perror("fakellm: epoll"); return 1; }
        if (up_again && up_again <= now()) come_back();
        for (int i = 0; i < n; i++) {
            Conn *c = events[i].data.ptr;
            if (!c) { accept_all(); continue; }
            if (!c->closed && events[i].events & EPOLLOUT) flush(c);
            if (!c->closed && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) read_all(c);
        }
        finish_due();
        free_buried();
    }
}
