/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim.h - the fraud service under a deterministic scheduler: one seed is one schedule.
 *
 *    director (the test)      service 1            service 2 ...      each a process of fork
 *         │                   threads              threads
 *         └──────────── the world, in memory that all share ──────────────┘
 *            scheduler, clock, broker, faults, trace, what was found
 *
 * (1) One thread of all processes runs at a time. It holds the baton, and gives it away wherever
 *     the real one would block: a lock that is taken, a wait, a sleep, a join, PostgreSQL, Kafka.
 * (2) The seed's random numbers choose who goes on. Time stands still while somebody can run; where
 *     all wait, it moves to the first moment that somebody waits for.
 * (3) The service's code is the real one. The linker's --wrap puts threads, clocks and PostgreSQL's
 *     connection into these hands, and the functions of librdkafka that reach a broker are ours.
 *     PostgreSQL is real. No thread gives the baton away inside of a transaction, but where all of
 *     it is done and stands before its commit. So PostgreSQL answers the same to the same schedule.
 * (4) A service that is killed dies by SIGKILL, at a place where it would give the baton away.
 *
 * Threads: whoever holds the baton may read and write the world.
 * Units:   microseconds of the world's clock, which begins at SIM_BEGIN_US. */
#ifndef SIM_H
#define SIM_H

#include "r1_base.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    SIM_THREADS = 64,
    SIM_SERVICES = 40, /* that one seed may start; number 0 is the director */
    SIM_TOPICS = 5,    /* sim_topic_id */
    SIM_PARTITIONS = 6,
    SIM_MESSAGES = 6000, /* of all topics */
    SIM_BYTES = 4 << 20, /* of their keys, payloads and ids */
    SIM_ASKS = 40,       /* payments of POST /v1/decide */
    SIM_FOUND_BYTES = 1024
};
#define SIM_BEGIN_US INT64_C(1000000000) /* of the clock that never goes back */
/* 2050-01-03, a Monday: past every now() of PostgreSQL, so that its defaults lie behind. */
#define SIM_WALL_US  INT64_C(2524780800000000)
#define SIM_NEVER_US INT64_MAX

typedef enum { SIM_PAYMENTS = 0, SIM_LABELS, SIM_DECISIONS, SIM_DEAD, SIM_EVENTS } sim_topic_id;
extern const char *const sim_topic_names[SIM_TOPICS];

/* ---- who runs ---- */

typedef enum { SIM_FREE = 0, SIM_READY, SIM_WAITS, SIM_ENDED } sim_state;

typedef struct {
    sim_state state;
    sem_t go;
    int service;
    const void *on; /* SIM_WAITS: what would wake it; an address of its process */
    int64_t until_us;
    bool by_wall; /* until_us is of its service's wall clock */
    bool timed_out;
    uint64_t id; /* pthread_t */
} sim_thread;

typedef struct {
    pid_t pid; /* 0: never started */
    bool alive, dying, killed, stopping;
    int exit_code;        /* once it has ended by itself */
    int64_t skew_us;      /* its wall clock beside the world's */
    int64_t stall_us;     /* none of its threads runs before */
    uint64_t kill_in;     /* gives of the baton until it dies; 0: never */
    uint64_t late;        /* messages that its merge counted as late */
    uint64_t ties;        /* of these, after a neighbour of the same millisecond */
    pid_t snapshot_pid;   /* the child that writes one; 0: none */
    bool snapshot_ended;  /* it has, or will without being asked any more */
    int64_t snapshot_us;  /* when that is seen */
    int64_t restored_seq; /* where the start's state stood */
    uint64_t digest;      /* of the state at an orderly end; 0: there was none */
    int64_t digest_seq;
    uint64_t digest_seen; /* the same of the ids that it knows */
    uint64_t digest_pace; /* the same of what deciding remembers */
} sim_service;

/* ---- the broker ---- */

typedef struct {
    int64_t at_us; /* it can be read from then on */
    int64_t stamp_ms;
    uint32_t key, key_len, payload, payload_len; /* in bytes[]; 0: none */
    uint32_t header; /* in bytes[]: name, NUL, length as u32, value; n_header times */
    int n_header;
    int32_t next; /* message of the same partition; -1: none yet */
} sim_message;

typedef struct {
    int32_t first, last; /* messages; -1: none */
    int64_t n;
    int64_t open_us; /* the partition is there from then on */
} sim_partition;

typedef struct {
    int n_partition; /* in the end */
    sim_partition part[SIM_PARTITIONS];
} sim_topic;

/* Who owns which partition of payments and labels (SIM_LABELS + 1 topics), by cooperative
 * assignment: what another member is to get is first given up by its owner. */
typedef struct {
    bool joined[SIM_SERVICES];
    int64_t beat_us[SIM_SERVICES]; /* when the broker heard of it last */
    int64_t session_us;
    int owner[SIM_LABELS + 1][SIM_PARTITIONS], target[SIM_LABELS + 1][SIM_PARTITIONS]; /* 0: none */
    uint64_t lost; /* how often all members lost it, each of them as it turns to it next */
} sim_group;

/* ---- POST /v1/decide ---- */

/* A payment that somebody asks about until there is an answer, and once more then. */
typedef struct {
    int64_t at_us; /* not before */
    uint32_t body; /* in bytes[] */
    char tx_id[16];
    int service;      /* whose client asks; 0: none */
    int answers;      /* that held a decision */
    int64_t seq;      /* of the first one: apply_seq */
    char decision[8]; /* of the first one */
} sim_ask;

/* ---- faults ---- */

/* What is planted so that the checks must find it. */
typedef enum {
    SIM_PLANT_NONE = 0,
    SIM_PLANT_FENCE,    /* no epoch is checked: the database was made so */
    SIM_PLANT_MERGE,    /* messages go in the order of their arrival */
    SIM_PLANT_SNAPSHOT, /* the log's tail begins one row late behind a snapshot */
    SIM_PLANT_LOSS      /* nobody looks where the log ends: the database was made so */
} sim_plant;

typedef struct {
    /* of 1,000 */
    uint32_t refuse;           /* statement or transaction is refused with a passing SQLSTATE */
    uint32_t cut_before;       /* the connection breaks before the transaction */
    uint32_t cut_after;        /* the transaction commits, and its answer is lost */
    uint32_t kill_before;      /* the service dies before its commit */
    uint32_t kill_after;       /* and behind it */
    uint32_t slow;             /* the commit takes up to 2 s */
    uint32_t stall;            /* the transaction stands still, with its locks, before its commit */
    uint32_t snapshot_bad;     /* the disk is full while a snapshot is written */
    uint32_t wakes;            /* a wait ends without a cause */
    int64_t down_us, up_us;    /* PostgreSQL is away */
    int64_t read_us, write_us; /* it takes reads alone */
    int64_t away_us, back_us;  /* the broker is away */
    uint32_t fatal_after;      /* messages; with so many a producer's client is ended for good, */
    uint32_t fatal_times;      /* so often; 0: never */
    int64_t until_us;          /* from then on no fault is drawn */
} sim_faults;

typedef struct {
    uint64_t seed, rng;
    int64_t now_us;
    int running; /* thread */
    uint64_t trace, n_give;
    bool reap; /* a service waits for its death */
    bool traced;
    sim_thread thread[SIM_THREADS];
    sim_service service[SIM_SERVICES];
    int n_service;
    sim_plant plant;
    sim_faults fault;
    uint64_t n_restart; /* of PostgreSQL: older connections are dead */
    sim_topic topic[SIM_TOPICS];
    sim_message message[SIM_MESSAGES];
    int32_t n_message;
    sim_group group;
    sim_ask ask[SIM_ASKS];
    int n_ask;
    int64_t promoted_us;        /* of a standby; 0: none was */
    int64_t lost_from, lost_to; /* apply_seq of the rows that it has lost; lost_to 0: none */
    char bytes[SIM_BYTES];
    uint32_t n_byte;
    sem_t snapshot_said;
    bool snapshot_waits; /* what it said: the file is written, and it waits for the commit */
    char found[SIM_FOUND_BYTES]; /* the first fault that was found; "": none */
} sim_world;

extern sim_world *sim; /* shared by all */

/* ---- sim_sched.c ---- */

/* Maps the world; before everything else. */
void sim_open(void);
/* An empty world for a seed; the caller is the director. */
void sim_begin(uint64_t seed, sim_plant plant, bool traced);
bool sim_inside(void); /* whether the caller is a thread of a world */
int sim_self_service(void);
sim_service *sim_me(void);
uint64_t sim_below(uint64_t n); /* the schedule's next random number; n > 0 */
bool sim_chance(uint32_t of_1000);
/* Says what happens, and mixes it into the trace. */
void sim_say(const char *fmt, ...) R1_PRINTF(1, 2);
/* Notes a fault that ends the seed; the first one stays. */
void sim_fault(const char *fmt, ...) R1_PRINTF(1, 2);
int64_t sim_wall_us(void); /* of the caller's service */
/* Lets others run. */
void sim_give(void);
void sim_sleep_until(int64_t us);
/* Waits for sim_wake(on), or until_us. True: until_us came. */
bool sim_wait(const void *on, int64_t until_us, bool by_wall);
void sim_wake(const void *on, bool all); /* threads of the caller's service */
/* The caller's service dies here and now. */
void sim_die(void) __attribute__((noreturn));
/* Between these no baton is given away, and nobody dies. */
void sim_hold(void);
void sim_release(void);

/* Director: starts a service, whose process runs `run`. */
int sim_start(int (*run)(void *ctx), void *ctx);
/* The calling service ends with that code, whatever its other threads do. */
void sim_end_service(int code) __attribute__((noreturn));
void sim_kill(int service); /* SIGKILL, and all that is left of it is gone */
/* Waits until it has ended by itself or was killed; false: until_us came first. */
bool sim_await(int service, int64_t until_us);
/* The child that writes a snapshot is not of the world. */
void sim_leave(void);

/* ---- sim_broker.c ---- */

/* The group's coordinator dies: each member loses what it was given, sooner or later. */
void sim_group_lose(void);
void sim_topic_make(sim_topic_id topic, int n_partition);
typedef struct {
    const char *name;
    const void *value;
    size_t len;
} sim_header;
enum { SIM_HEADERS = 8 }; /* of one message */
/* Appends a message that can be read from at_us on, never before the one in front of it. */
void sim_publish(sim_topic_id topic, int partition, int64_t at_us, const sim_message *m,
                 const void *key, const void *payload, const sim_header *header);
/* Keeps a text in bytes[]. */
uint32_t sim_keep(const char *text);
int64_t sim_high(sim_topic_id topic, int partition); /* next offset, now */
/* The i-th header of a message. */
sim_header sim_header_at(const sim_message *m, int i);
const sim_message *sim_message_at(sim_topic_id topic, int partition, int64_t offset);

/* ---- sim_service.c ---- */

typedef struct {
    const char *conninfo, *folder, *migrations;
    bool bare;          /* without its snapshots: the whole log is read */
    bool probe;         /* it stops once its state is restored */
    bool shared;        /* one of several, by the topic of events */
    bool check_restore; /* beside each start from a snapshot the whole log is read as well */
    int batch_rows, snapshot_every_s, alerts_per_day;
    const char *model, *log_path;
    const char *rules; /* file; NULL: none */
    bool port;         /* clients ask POST /v1/decide */
} sim_serve_opts;

/* Runs of sim_start: `r1-fraud serve` until it is told to stop, `r1-fraud offsets reset` and
 * `r1-fraud offsets unshare`. */
int sim_serve(void *opts);
int sim_reset(void *opts);
int sim_unshare(void *opts);

/* ---- sim_port.c ---- */

/* Draws the payments that are asked about between two moments. */
void sim_asks_make(int64_t from_us, int64_t to_us);
bool sim_asks_answered(void); /* each of them, and once more */

/* ---- sim_stream.c ---- */

enum { SIM_STREAM_SEEDS = 8 }; /* seeds that share one stream */

typedef struct {
    int64_t begin_us, end_us; /* of its messages */
    int partitions;           /* of payments; the last one may be added on the way */
    bool added;
    bool history;                     /* payments dated over 20 days */
    bool anew;                        /* the topic of payments is made anew behind its end */
    int64_t anew_us;                  /* when, at the earliest; its messages come behind it */
    int64_t n_before[SIM_PARTITIONS]; /* payments of the first topic; 0 until then */
    int n;                            /* messages */
} sim_stream;

/* Makes topics and messages. at_once: all can be read from the beginning on. */
void sim_stream_make(sim_stream *s, uint64_t seed, bool at_once);
/* The topic of payments is another one from now on, with as many partitions. Its messages can be
 * read from from_us on, and not before they are sent. */
void sim_stream_anew(sim_stream *s, uint64_t seed, int64_t from_us);

/* ---- sim_check.c ---- */

typedef struct sim_results sim_results;
/* A connection of the director's own, beside the world. */
void sim_check_open(const char *conninfo);
void sim_check_clear(void); /* empties the database */
/* Messages whose offsets have been passed. */
int64_t sim_check_consumed(void);
/* What became of each message. NULL: a fault was noted. */
sim_results *sim_check_read(void);
void sim_results_free(sim_results *r); /* NULL is fine */
/* Exactly one result for each message of the topics. */
void sim_check_once(const sim_results *r, const sim_stream *s);
/* The results of a run are those of the run without faults. True: they were compared; false: the
 * run counted messages as late, and has another order. */
bool sim_check_equal(const sim_results *r, const sim_results *reference);
/* Each decision is in the topic of decisions, and no id of that topic is of two payments. */
void sim_check_decisions(void);
/* A payment, by id and content, was decided once; whoever asked got what stands in the log. */
void sim_check_asks(void);
/* A standby that stays as it is now, and its promotion: commits since then are lost, and with them
 * the answers to whoever asked. */
void sim_check_standby(void);
void sim_check_promote(void);

#endif
