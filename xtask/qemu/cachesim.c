/* What an AArch64 guest asks of a core's caches: lines that go from one level to the next, between marks.
 *
 *   cc -O2 -shared -fPIC -o cachesim.so cachesim.c
 *   qemu-aarch64 -plugin ./cachesim.so[,l1=KIB:WAYS][,l2=KIB:WAYS] -d plugin -D OUT -cpu CORE PROGRAM
 *
 * A mark is every clock_gettime of the guest: qemu-user gives it no vDSO, so each is a system call. Each line of the answer
 * is "mark INSTRUCTIONS L1-FILLS L1-WRITE-BACKS L2-FILLS L2-WRITE-BACKS", counted from the start; a last one stands for the
 * end. Both levels are set associative, write back, allocate on write, replace what was used longest ago, know no
 * prefetching (which changes when a line comes, not how many do), and take the guest's addresses for physical ones.
 * One thread only: two would race for the counters.
 *
 * The entry points are those of plugin API version 1; see insncount.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated)(uint64_t id, struct qemu_plugin_tb *block);
typedef void (*accessed)(unsigned cpu, uint32_t info, uint64_t address, void *data);
typedef void (*called)(uint64_t id, unsigned cpu, int64_t number, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                       uint64_t, uint64_t, uint64_t);
typedef void (*ended)(uint64_t id, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *counter, uint64_t by);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction, accessed callback, int flags, int directions,
                                      void *data);
void qemu_plugin_register_vcpu_syscall_cb(uint64_t id, called callback);
void qemu_plugin_register_atexit_cb(uint64_t id, ended callback, void *data);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
_Bool qemu_plugin_mem_is_store(uint32_t info);
void qemu_plugin_outs(const char *text);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { ADD_U64 = 0, NO_REGISTERS = 0, READS_AND_WRITES = 3, LINE_SHIFT = 6, CLOCK_GETTIME = 113, WAYS_MAX = 32 };

/* A set is `ways` lines, the last used first: number of the line, shifted by one, and whether it was written. */
struct cache {
    uint64_t *lines;
    uint64_t sets;
    unsigned ways;
    uint64_t fills, write_backs;
    struct cache *below;
};

static struct cache l2, l1;
static uint64_t instructions;

static void access_line(struct cache *cache, uint64_t line, int written) {
    uint64_t *set = cache->lines + line % cache->sets * cache->ways;
    uint64_t entry = (line + 1) << 1 | (uint64_t)written;
    unsigned way = 0;
    while (way < cache->ways && set[way] >> 1 != line + 1) way++;
    if (way < cache->ways) {
        entry |= set[way] & 1;
    } else {
        uint64_t victim = set[--way];
        if (victim & 1) {
            cache->write_backs++;
            if (cache->below) access_line(cache->below, (victim >> 1) - 1, 1);
        }
        cache->fills++;
        if (cache->below) access_line(cache->below, line, 0);
    }
    memmove(set + 1, set, way * sizeof *set);
    set[0] = entry;
}

static void on_access(unsigned cpu, uint32_t info, uint64_t address, void *data) {
    uint64_t last = address + (UINT64_C(1) << qemu_plugin_mem_size_shift(info)) - 1;
    int written = qemu_plugin_mem_is_store(info);
    (void)cpu;
    (void)data;
    for (uint64_t line = address >> LINE_SHIFT; line <= last >> LINE_SHIFT; line++) access_line(&l1, line, written);
}

static void mark(void) {
    char line[160];
    snprintf(line, sizeof line, "mark %llu %llu %llu %llu %llu\n", (unsigned long long)instructions,
             (unsigned long long)l1.fills, (unsigned long long)l1.write_backs, (unsigned long long)l2.fills,
             (unsigned long long)l2.write_backs);
    qemu_plugin_outs(line);
}

static void on_call(uint64_t id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                    uint64_t f, uint64_t g, uint64_t h) {
    (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == CLOCK_GETTIME) mark();
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &instructions, count);
    for (size_t index = 0; index < count; index++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, index), on_access, NO_REGISTERS, READS_AND_WRITES,
                                         NULL);
}

static void on_end(uint64_t id, void *data) {
    (void)id;
    (void)data;
    mark();
}

static int make(struct cache *cache, unsigned long kibibytes, unsigned long ways, struct cache *below) {
    if (!ways || ways > WAYS_MAX || kibibytes > 1 << 20) return -1;
    cache->ways = (unsigned)ways;
    cache->sets = (kibibytes << 10 >> LINE_SHIFT) / ways;
    cache->lines = cache->sets ? calloc(cache->sets * ways, sizeof *cache->lines) : NULL;
    cache->below = below;
    return cache->lines ? 0 : -1;
}

/* "KIB:WAYS" */
static int sized(struct cache *cache, const char *text, struct cache *below) {
    char *end;
    unsigned long kibibytes = strtoul(text, &end, 10);
    return *end == ':' ? make(cache, kibibytes, strtoul(end + 1, NULL, 10), below) : -1;
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info, int count, char **words) {
    /* A Cortex-A72 as the Raspberry Pi 4 has it. */
    int failed = make(&l1, 32, 2, &l2) | make(&l2, 1024, 16, NULL);
    (void)info;
    for (int index = 0; index < count && !failed; index++) {
        if (!strncmp(words[index], "l1=", 3)) failed = sized(&l1, words[index] + 3, &l2);
        else if (!strncmp(words[index], "l2=", 3)) failed = sized(&l2, words[index] + 3, NULL);
        else failed = -1;
        if (failed) fprintf(stderr, "cachesim: '%s' is no argument; there is l1=KIB:WAYS and l2=KIB:WAYS\n", words[index]);
    }
    if (failed) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_call);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
