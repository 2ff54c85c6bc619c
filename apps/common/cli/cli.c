/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - from argv to a command: finds it, parses its options (file, then environment, then
 * command line), sets the log sink and the signal handlers, prints help, manual page and
 * completion out of the tables. */
#include "cli/log_limit.h"
#include "cli/r1_cli.h"
#include "config/r1_config.h"
#include "r1_backend.h"
#include "text/nearest.h"
#include "text/r1_utf8.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- signals ---- */

static volatile sig_atomic_t stopped;

/* The first signal asks; a second one ends the process at once. */
static void on_signal(int sig)
{
    if (stopped) _exit(128 + sig);
    stopped = 1;
}

bool r1_cli_stopped(void) { return stopped != 0; }

static atomic_bool hung_up;

static void on_hangup(int sig)
{
    (void)sig;
    atomic_store(&hung_up, true);
}

void r1_cli_watch_hangup(void)
{
    struct sigaction sa = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGHUP, &sa, NULL);
}

bool r1_cli_hangup(void) { return atomic_exchange(&hung_up, false); }

static void install_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&sa.sa_mask);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is an error like a full disk */
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- log sink ---- */

static void cli_stamp(char *out, size_t size)
{
    int64_t us = r1_time_us();
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, size - n, ".%06dZ", (int)(us % 1000000));
}

/* Of one message; three bytes may stand for one of r1_log's 1,023. */
enum { LOG_BYTES = 4096 };
static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void log_text(void *ctx, r1_log_level level, const char *event, const char *text)
{
    (void)ctx;
    char ts[40];
    cli_stamp(ts, sizeof ts);
    fprintf(stderr, "%s %s %s ", ts, level_names[level], event);
    r1_utf8_print(stderr, text);
    fputc('\n', stderr);
}

/* A log line may quote a message of anyone: what is not UTF-8 is replaced, jansson escapes the
 * rest. Without memory the line goes out as text. */
static void log_json(void *ctx, r1_log_level level, const char *event, const char *text)
{
    char ts[40], msg[LOG_BYTES];
    cli_stamp(ts, sizeof ts);
    r1_utf8_clean(msg, sizeof msg, text);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "ts", ts, "level", level_names[level], "event",
                          event, "msg", msg);
    char *line = json_dumps(o, JSON_COMPACT);
    if (line)
        fprintf(stderr, "%s\n", line);
    else
        log_text(ctx, level, event, msg);
    free(line);
    json_decref(o);
}

/* ---- tables ---- */

static const r1_option common_rows[] = {
    {.name = "help", .type = R1_OPT_BOOL, .def = "false", .help = "show this help"},
    {.name = "log-level",
     .type = R1_OPT_ENUM,
     .choices = "error|warn|info|debug",
     .def = "warn",
     .section = "log",
     .help = "what is logged to standard error"},
    {.name = "log-format",
     .type = R1_OPT_ENUM,
     .choices = "text|json",
     .def = "text",
     .section = "log",
     .help = "form of a log line"},
};
static const r1_option config_row = {
    .name = "config", .type = R1_OPT_PATH, .help = "INI file with settings"};

static r1_option *joined_table(const r1_command *cmd, size_t *n)
{
    r1_option *t = calloc(cmd->n_options + R1_COUNT(common_rows) + 1, sizeof *t);
    if (!t) return NULL;
    if (cmd->n_options) memcpy(t, cmd->options, cmd->n_options * sizeof *t);
    *n = cmd->n_options;
    if (cmd->config) t[(*n)++] = config_row;
    memcpy(t + *n, common_rows, sizeof common_rows);
    *n += R1_COUNT(common_rows);
    return t;
}

/* ---- help, manual page, completion ---- */

static void program_help(const r1_program *p, FILE *out)
{
    fprintf(out, "%s - %s\n\nCommands:\n", p->name, p->summary);
    for (size_t i = 0; i < p->n_commands; i++)
        fprintf(out, "  %-18s %s\n", p->commands[i].name, p->commands[i].summary);
    fprintf(out, "  %-18s %s\n  %-18s %s\n  %-18s %s\n", "version",
            "version of the program and its build", "manual", "print the manual page (troff)",
            "completion bash", "print completion for the shell");
    fprintf(out, "\n%s COMMAND --help shows examples and options.\n", p->name);
}

static void print_examples(const char *examples, const char *indent, FILE *out)
{
    for (const char *e = examples; e && *e;) {
        size_t len = strcspn(e, "\n");
        fprintf(out, "%s%.*s\n", indent, (int)len, e);
        e += len + (e[len] == '\n');
    }
}

static void print_synopsis(const r1_program *p, const r1_command *cmd, const char *indent,
                           FILE *out)
{
    fprintf(out, "%s%s %s [OPTIONS]%s%s\n", indent, p->name, cmd->name, cmd->operands ? " " : "",
            cmd->operands ? cmd->operands : "");
}

static void command_help(const r1_program *p, const r1_command *cmd, FILE *out)
{
    fprintf(out, "%s %s - %s\n\nUsage:\n", p->name, cmd->name, cmd->summary);
    print_synopsis(p, cmd, "  ", out);
    fputs("\nExamples:\n", out);
    print_examples(cmd->examples, "  ", out);
    fputs("\nOptions:\n", out);
    size_t n = 0;
    r1_option *t = joined_table(cmd, &n);
    if (t) r1_options_help(t, n, out);
    free(t);
}

static void cli_manual(const r1_program *p, FILE *out)
{
    fprintf(out, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH COMMANDS\n", p->name, p->name, p->summary);
    for (size_t i = 0; i < p->n_commands; i++) {
        const r1_command *cmd = &p->commands[i];
        fprintf(out, ".SS %s\n%s.\n.nf\n", cmd->name, cmd->summary);
        print_synopsis(p, cmd, "  ", out);
        print_examples(cmd->examples, "  ", out);
        fputs(".fi\n", out);
        for (size_t k = 0; k < cmd->n_options; k++) {
            const r1_option *row = &cmd->options[k];
            char only[160];
            r1_option_only(row, only, sizeof only);
            fprintf(out, ".TP\n.B \\-\\-%s\n%s%s%s%s\n", row->name, row->help, *only ? " (" : "",
                    only, *only ? ")" : "");
        }
    }
    fputs(".SH EXIT STATUS\n0 good, 1 failed at run time, 2 usage or configuration, 3 a check "
          "found problems, 4 "
          "partial result.\n",
          out);
}

static void cli_completion(const r1_program *p, FILE *out)
{
    fprintf(out, "complete -W \"");
    for (size_t i = 0; i < p->n_commands; i++) {
        fprintf(out, "%s ", p->commands[i].name);
        for (size_t k = 0; k < p->commands[i].n_options; k++)
            fprintf(out, "--%s ", p->commands[i].options[k].name);
    }
    fprintf(out, "--help\" %s\n", p->name);
}

/* ---- running ---- */

/* Two-word names are tried first; *words tells how many arguments the name took. */
static const r1_command *find_command(const r1_program *p, int argc, char **argv, int *words)
{
    char two[128];
    snprintf(two, sizeof two, "%s %s", argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
    for (size_t i = 0; i < p->n_commands; i++)
        if (!strcmp(p->commands[i].name, two)) return *words = 2, &p->commands[i];
    for (size_t i = 0; i < p->n_commands; i++)
        if (!strcmp(p->commands[i].name, argv[1])) return *words = 1, &p->commands[i];
    return NULL;
}

/* Lists the commands whose first of two words this is. False: it is the first word of none. */
static bool list_subcommands(const r1_program *p, const char *word, FILE *out)
{
    size_t n = strlen(word);
    bool any = false;
    for (size_t i = 0; i < p->n_commands; i++) {
        const r1_command *c = &p->commands[i];
        if (strncmp(c->name, word, n) != 0 || c->name[n] != ' ') continue;
        if (!any) fprintf(out, "%s %s: the commands are\n", p->name, word);
        fprintf(out, "  %-18s %s\n", c->name, c->summary);
        any = true;
    }
    return any;
}

static int unknown_command(const r1_program *p, int argc, char **argv)
{
    bool asks = argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"));
    if ((argc < 3 || asks) && list_subcommands(p, argv[1], asks ? stdout : stderr))
        return asks ? R1_EXIT_OK : R1_EXIT_USAGE;
    const char *best = NULL;
    size_t distance = 4;
    char two[128];
    snprintf(two, sizeof two, "%s%s%s", argv[1], argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    for (size_t i = 0; i < p->n_commands; i++) {
        size_t d1 = r1_edit_distance(argv[1], p->commands[i].name),
               d2 = r1_edit_distance(two, p->commands[i].name);
        size_t d = d1 < d2 ? d1 : d2;
        if (d < distance) distance = d, best = p->commands[i].name;
    }
    fprintf(stderr, "%s: unknown command \"%s\"", p->name, argv[1]);
    if (best) fprintf(stderr, "; did you mean \"%s\"?", best);
    fprintf(stderr, "\n%s --help lists the commands\n", p->name);
    return R1_EXIT_USAGE;
}

static r1_log_fn log_sink; /* behind the limit */
static r1_log_level log_level;

static void log_limited(void *ctx, r1_log_level level, const char *event, const char *text)
{
    uint64_t left_out = 0;
    char line[LOG_BYTES];
    if (level <= R1_LOG_WARN && !r1_log_admit(event, level, text, r1_mono_us(), &left_out)) return;
    snprintf(line, sizeof line, "left_out=%llu %s", (unsigned long long)left_out, text);
    log_sink(ctx, level, event, left_out ? line : text);
}

void r1_cli_log_limit(void) { r1_log_set(log_limited, NULL, log_level); }

void r1_cli_log_flush(void)
{
    r1_log_rest rest;
    while (r1_log_left_out(r1_mono_us(), &rest)) {
        char line[64 + R1_LOG_KEPT_BYTES];
        snprintf(line, sizeof line, "left_out=%llu the last: %s", (unsigned long long)rest.n,
                 rest.text);
        log_sink(NULL, rest.level, rest.event, line);
    }
}

static void set_log(const r1_options *o)
{
    const char *level = r1_options_str(o, "log-level");
    size_t i = 0;
    while (i < R1_COUNT(level_names) - 1 && strcmp(level_names[i], level) != 0) i++;
    log_sink = !strcmp(r1_options_str(o, "log-format"), "json") ? log_json : log_text;
    log_level = (r1_log_level)i;
    r1_log_set(log_sink, NULL, log_level);
}

/* --config must be applied before the rest of the command line wins over it. */
static const char *config_path(int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "--config=", 9))
            path = argv[i] + 9;
        else if (!strcmp(argv[i], "--config") && i + 1 < argc)
            path = argv[i + 1];
    }
    return path;
}

static r1_status check_operands(const r1_command *cmd, r1_cli_call *call)
{
    if (call->n_rest >= cmd->operands_min && call->n_rest <= cmd->operands_max) return R1_OK;
    char found[256] = "\"\"";
    size_t n = 0;
    for (size_t i = 0; i < call->n_rest && n < sizeof found; i++)
        n += (size_t)snprintf(found + n, sizeof found - n, "%s\"%s\"", i ? " " : "", call->rest[i]);
    R1_FAIL(&call->err, R1_E_INVAL, "command line: expected %s, found %s; --help shows the usage",
            cmd->operands ? cmd->operands : "options alone", found);
}

/* All mistakes of a settings file, where it has more than one: the error tells of the first. */
static void print_mistakes(const r1_command *cmd, const r1_config_table *others, size_t n,
                           const char *path)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (!f) return;
    size_t found = r1_config_mistakes(cmd->options, cmd->n_options, others, n, path, f);
    fclose(f);
    if (found > 1) fprintf(stderr, "%s has %zu mistakes:\n%s", path, found, text);
    free(text);
}

/* One settings file serves all commands of a program: each passes the others' keys over. */
static r1_status load_config(const r1_program *p, const r1_command *cmd, r1_options *o,
                             const char *path, r1_err *err)
{
    r1_config_table *others = calloc(p->n_commands, sizeof *others);
    size_t n = 0;
    if (!others) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    for (size_t i = 0; i < p->n_commands; i++)
        if (p->commands[i].config)
            others[n++] = (r1_config_table){p->commands[i].options, p->commands[i].n_options};
    r1_status st = r1_config_load(o, others, n, path, err);
    if (st == R1_E_INVAL) print_mistakes(cmd, others, n, path);
    free(others);
    return st;
}

/* Of a variable R1_..., the setting of one of the program's commands that its writer meant. */
static void near_variable(const r1_program *p, r1_nearest *near, char best[128])
{
    for (size_t i = 0; i < p->n_commands; i++) {
        const r1_command *cmd = &p->commands[i];
        for (size_t k = 0; cmd->config && k < cmd->n_options; k++) {
            char name[128];
            const char *before = near->best;
            if (!r1_option_env_name(&cmd->options[k], name, sizeof name)) continue;
            r1_nearest_offer(near, name);
            if (near->best == before) continue;
            memcpy(best, name, sizeof name);
            near->best = best;
        }
    }
}

/* Other programs have variables of this form too, so only what looks like a mistyped setting is
 * said. */
static void say_variables(const r1_program *p)
{
    extern char **environ;
    for (char **e = environ; *e; e++) {
        char name[128], best[128];
        int len = (int)strcspn(*e, "=");
        if (strncmp(*e, "R1_", 3) != 0 || len >= (int)sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", len, *e);
        r1_nearest near = {.found = name};
        near_variable(p, &near, best);
        if (!near.best || !near.distance || near.distance * 4 > strlen(name) - 3) continue;
        fprintf(stderr, "%s: the environment's ", p->name);
        r1_utf8_print(stderr, name);
        fprintf(stderr, " is not known and sets nothing; did you mean %s?\n", near.best);
    }
}

/* config: a file in the place of --config; NULL: none. */
static r1_status fill_options(const r1_program *p, const r1_command *cmd, r1_options *o,
                              const char *config, int argc, char **argv, r1_cli_call *call)
{
    r1_err *err = &call->err;
    const char *path = config ? config : cmd->config ? config_path(argc, argv) : NULL;
    if (path) R1_TRY(load_config(p, cmd, o, path, err));
    if (cmd->config && !config) say_variables(p);
    if (cmd->config) R1_TRY(r1_options_env(o, err));
    R1_TRY(r1_options_parse(o, argc, argv, call->rest, &call->n_rest, err));
    if (r1_options_bool(o, "help")) return R1_OK;
    R1_TRY(check_operands(cmd, call));
    return r1_options_check(o, err);
}

/* A message may quote a file or its name; the terminal must not obey it. */
static void cli_complain(const r1_program *p, const r1_command *cmd, const char *msg)
{
    fprintf(stderr, "%s %s: ", p->name, cmd->name);
    r1_utf8_print(stderr, msg);
    fputc('\n', stderr);
}

/* The call in hand, for r1_cli_again. */
static struct {
    const r1_program *program;
    const r1_command *command;
    const r1_option *table;
    size_t n;
    int argc;
    char **argv;
} running;

r1_status r1_cli_again(r1_options **out, const char *config, r1_err *err)
{
    const char **rest = calloc((size_t)running.argc + 1, sizeof *rest);
    r1_cli_call call = {.rest = rest};
    *out = NULL;
    if (!rest) R1_FAIL(err, R1_E_NOMEM, "no memory to read the settings again");
    r1_status st = r1_options_new(out, running.table, running.n, err);
    if (st == R1_OK)
        st = fill_options(running.program, running.command, *out, config, running.argc,
                          running.argv, &call);
    if (st != R1_OK && call.err.msg[0] && err) *err = call.err;
    free(rest);
    if (st == R1_OK) return R1_OK;
    r1_options_free(*out);
    *out = NULL;
    return st;
}

/* --device, for commands that have it. */
static int run_on_device(const r1_program *p, const r1_command *cmd, r1_cli_call *call)
{
    bool has = false;
    for (size_t i = 0; i < cmd->n_options; i++) has |= !strcmp(cmd->options[i].name, "device");
    const char *device = has ? r1_options_str(call->opts, "device") : NULL;
    if (!device) return cmd->run(call);
    r1_status st = r1_device_choose(device, &call->err);
    if (st != R1_OK) return r1_cli_exit(st);
    r1_err why = {0};
    bool none = !strcmp(device, "auto") && !r1_backend_find("cuda", &why);
    fprintf(stderr, "%s: device %s%s%s\n", p->name, r1_device_name(), none ? ": " : "", why.msg);
    return cmd->run(call);
}

static int run_command(const r1_program *p, const r1_command *cmd, int argc, char **argv)
{
    size_t n = 0;
    r1_option *table = joined_table(cmd, &n);
    const char **rest = calloc((size_t)argc + 1, sizeof *rest);
    r1_options *o = NULL;
    r1_cli_call call = {.rest = rest};
    int code = R1_EXIT_FAILED;
    if (!table || !rest || r1_options_new(&o, table, n, &call.err) != R1_OK) {
        cli_complain(p, cmd, call.err.msg[0] ? call.err.msg : "out of memory");
    } else if (fill_options(p, cmd, o, NULL, argc, argv, &call) != R1_OK) {
        cli_complain(p, cmd, call.err.msg);
        code = R1_EXIT_USAGE;
    } else if (r1_options_bool(o, "help")) {
        command_help(p, cmd, stdout);
        code = R1_EXIT_OK;
    } else {
        set_log(o);
        install_signals();
        call.opts = o;
        running.program = p, running.command = cmd, running.table = table, running.n = n;
        running.argc = argc, running.argv = argv;
        code = run_on_device(p, cmd, &call);
        if (code && call.err.msg[0]) cli_complain(p, cmd, call.err.msg);
    }
    r1_options_free(o);
    free(rest);
    free(table);
    return code;
}

r1_precision r1_cli_precision(const char *choice)
{
    if (!strcmp(choice, "f32")) return R1_PRECISION_F32;
    return !strcmp(choice, "int8") ? R1_PRECISION_INT8 : R1_PRECISION_AUTO;
}

int r1_cli_exit(r1_status st)
{
    return st == R1_OK ? R1_EXIT_OK : st == R1_E_INVAL ? R1_EXIT_USAGE : R1_EXIT_FAILED;
}

const char *r1_cli_version(void) { return R1_VERSION; }

/* Standard output may be a file on a full disk. A reader that went away, as head does, has what it
 * wanted. */
static int cli_output_end(const r1_program *p, int code)
{
    bool bad = ferror(stdout) != 0;
    errno = 0;
    bad = fflush(stdout) != 0 || bad;
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (!bad || (poll(&out, 1, 0) == 1 && out.revents & POLLERR)) return code;
    fprintf(stderr, "%s: writing standard output, which is cut off: %s\n", p->name,
            strerror(errno ? errno : EIO));
    return code == R1_EXIT_USAGE ? code : R1_EXIT_FAILED;
}

static int cli_main(const r1_program *p, int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") ||
        !strcmp(argv[1], "help")) {
        program_help(p, argc < 2 ? stderr : stdout);
        return argc < 2 ? R1_EXIT_USAGE : R1_EXIT_OK;
    }
    if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
        printf("%s %s (%s, built with %s)\n", p->name, R1_VERSION,
               sizeof(void *) == 8 ? "64 bit" : "32 bit", __VERSION__);
        return R1_EXIT_OK;
    }
    if (!strcmp(argv[1], "manual")) return cli_manual(p, stdout), R1_EXIT_OK;
    if (!strcmp(argv[1], "completion")) return cli_completion(p, stdout), R1_EXIT_OK;
    int words = 0;
    const r1_command *cmd = find_command(p, argc, argv, &words);
    if (!cmd) return unknown_command(p, argc, argv);
    for (int i = 1 + words; i < argc; i++)
        if (!strcmp(argv[i], "-h")) return command_help(p, cmd, stdout), R1_EXIT_OK;
    return run_command(p, cmd, argc - 1 - words, argv + 1 + words);
}

int r1_cli_main(const r1_program *p, int argc, char **argv)
{
    return cli_output_end(p, cli_main(p, argc, argv));
}
