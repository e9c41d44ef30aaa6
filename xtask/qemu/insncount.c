/* Counts the instructions that an AArch64 guest executes: in all, by kind, and by function.
 *
 *   cc -O2 -shared -fPIC -o insncount.so insncount.c
 *   qemu-aarch64 -plugin ./insncount.so[,top=N] -d plugin -D OUT -cpu CORE PROGRAM
 *
 * Debian's dynamic qemu-user loads plugins but its header is packaged nowhere, so the entry points of plugin API version
 * 1 (QEMU 4.2 to 8.x) that we use are declared here. "-d plugin" is what makes QEMU print our lines and look up symbols.
 *
 * Each line of the answer is "total N", "kind NAME N" or "function N NAME". Counters are added to without a lock by
 * code that QEMU inlines, so a guest with several threads may lose counts: measure with one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated)(uint64_t id, struct qemu_plugin_tb *block);
typedef void (*ended)(uint64_t id, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *counter, uint64_t by);
void qemu_plugin_register_atexit_cb(uint64_t id, ended callback, void *data);
void qemu_plugin_outs(const char *text);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { ADD_U64 = 0, FUNCTIONS_MAX = 1 << 15 };
enum kind { INTEGER, BRANCH, MEMORY, VECTOR, VECTOR_MEMORY, KINDS };
static const char *const kind_names[KINDS] = {"integer", "branch", "memory", "vector", "vector_memory"};

struct function {
    char *name;
    uint64_t instructions;
};

/* A translated block; `runs` is what the guest adds to. QEMU may translate one more than once: each has its own. */
struct block {
    struct block *next;
    struct function *function;
    uint64_t runs;
    uint32_t instructions;
    uint32_t of_kind[KINDS];
};

static struct block *blocks;
static struct function functions[FUNCTIONS_MAX];
static long top = 20;

/* Finds a name, or takes the next free place for it (open addressing; the last resort is the first place). */
static struct function *function_named(const char *name) {
    uint64_t hash = 5381;
    if (!name || !*name) name = "unknown";
    for (const char *c = name; *c; c++) hash = hash * 33 + (unsigned char)*c;
    for (uint64_t step = 0; step < FUNCTIONS_MAX; step++) {
        struct function *place = &functions[(hash + step) % FUNCTIONS_MAX];
        if (!place->name) place->name = strdup(name);
        if (place->name && !strcmp(place->name, name)) return place;
    }
    return &functions[0];
}

/* By bits 28 to 25, the top level of the A64 encoding; bit 26 of a load or store tells the register file. */
static enum kind kind_of(uint32_t word) {
    uint32_t group = (word >> 25) & 0xf;
    if ((group & 0x5) == 0x4) return (group & 0x2) ? VECTOR_MEMORY : MEMORY;
    if ((group & 0xe) == 0xa) return BRANCH;
    return (group & 0x7) == 0x7 ? VECTOR : INTEGER;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *translation) {
    (void)id;
    struct block *block = calloc(1, sizeof *block);
    if (!block) abort();
    block->instructions = qemu_plugin_tb_n_insns(translation);
    block->function = function_named(qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(translation, 0)));
    for (size_t index = 0; index < block->instructions; index++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(translation, index)), sizeof word);
        block->of_kind[kind_of(word)]++;
    }
    block->next = blocks; /* translation holds a lock of QEMU's */
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_inline(translation, ADD_U64, &block->runs, 1);
}

static int most_first(const void *left, const void *right) {
    uint64_t a = ((const struct function *)left)->instructions, b = ((const struct function *)right)->instructions;
    return (a < b) - (a > b);
}

static void on_end(uint64_t id, void *data) {
    uint64_t total = 0, of_kind[KINDS] = {0};
    char line[1200];
    (void)id;
    (void)data;
    for (const struct block *block = blocks; block; block = block->next) {
        total += block->runs * block->instructions;
        block->function->instructions += block->runs * block->instructions;
        for (int kind = 0; kind < KINDS; kind++) of_kind[kind] += block->runs * block->of_kind[kind];
    }
    snprintf(line, sizeof line, "total %llu\n", (unsigned long long)total);
    qemu_plugin_outs(line);
    for (int kind = 0; kind < KINDS; kind++) {
        snprintf(line, sizeof line, "kind %s %llu\n", kind_names[kind], (unsigned long long)of_kind[kind]);
        qemu_plugin_outs(line);
    }
    qsort(functions, FUNCTIONS_MAX, sizeof functions[0], most_first);
    for (long index = 0; index < top && index < FUNCTIONS_MAX && functions[index].instructions; index++) {
        snprintf(line, sizeof line, "function %llu %.1000s\n", (unsigned long long)functions[index].instructions,
                 functions[index].name);
        qemu_plugin_outs(line);
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info, int count, char **words) {
    (void)info;
    for (int index = 0; index < count; index++) {
        if (strncmp(words[index], "top=", 4)) {
            fprintf(stderr, "insncount: '%s' is no argument; there is top=N\n", words[index]);
            return -1;
        }
        top = strtol(words[index] + 4, NULL, 10);
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
