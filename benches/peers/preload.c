/* Preloaded into a peer on x86-64, this answers its `cpuid` as a processor with AVX2 and nothing above it would, and
 * counts by sampling which encodings the peer then executes.
 *
 * In copies of the peer's libraries `cargo xtask peers vision` replaces the first byte of each `cpuid` (0F A2) by 27,
 * which is no instruction in 64-bit mode: 27 A2 occurs in no program, faults, and is answered here. CPUID faulting of the
 * processor itself would need no patch, but many machines lack it.
 *
 *   cc -O2 -Wall -Werror -shared -fPIC -o preload.so preload.c
 *   PEER_SAMPLES=FILE  writes at exit how many samples of processor time fell on which encoding; without it none is taken
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <ucontext.h>

enum { SAMPLE_MICROSECONDS = 1000 };
/* The trap, and what it stands for, are two bytes long. */
enum { TRAP_FIRST = 0x27, TRAP_SECOND = 0xA2, TRAP_LENGTH = 2 };
enum kind { OTHER, VEX, VEX_VNNI, EVEX, KINDS };
static const char *const kind_name[KINDS] = {"other", "vex", "vex_vnni", "evex"};
static volatile unsigned long samples[KINDS];
static unsigned long answered;

/* Clears what lies above AVX2: bits by Intel's manual, volume 2, CPUID. */
static void mask(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    if (leaf == 7 && subleaf == 0) {
        /* AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL */
        *b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
        /* AVX-512 VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; GFNI, which came with them */
        *c &= ~(1u << 1 | 1u << 6 | 1u << 8 | 1u << 11 | 1u << 12 | 1u << 14);
        /* AVX-512 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AMX BF16, TILE, INT8 */
        *d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
    } else if (leaf == 7 && subleaf == 1) {
        /* AVX-VNNI, AVX-512 BF16, AMX FP16, AVX-IFMA */
        *a &= ~(1u << 4 | 1u << 5 | 1u << 21 | 1u << 23);
        /* AVX-VNNI-INT8, AVX-NE-CONVERT, AMX-COMPLEX, AVX-VNNI-INT16, AVX10 */
        *d &= ~(1u << 4 | 1u << 5 | 1u << 8 | 1u << 10 | 1u << 19);
    } else if (leaf == 0xD && subleaf == 0) {
        /* State of the opmask and ZMM registers, of AMX */
        *a &= ~(1u << 5 | 1u << 6 | 1u << 7 | 1u << 17 | 1u << 18);
    } else if (leaf == 0x1D || leaf == 0x1E || leaf == 0x24) {
        /* AMX tiles, AMX multipliers, AVX10 */
        *a = *b = *c = *d = 0;
    }
}

static void on_illegal_instruction(int number, siginfo_t *info, void *raw) {
    greg_t *registers = ((ucontext_t *)raw)->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)registers[REG_RIP];
    (void)info;
    if (at[0] != TRAP_FIRST || at[1] != TRAP_SECOND) {
        /* Not ours: meet it again without this handler. */
        signal(number, SIG_DFL);
        return;
    }
    uint32_t leaf = (uint32_t)registers[REG_RAX], subleaf = (uint32_t)registers[REG_RCX], a, b, c, d;
    __cpuid_count(leaf, subleaf, a, b, c, d);
    mask(leaf, subleaf, &a, &b, &c, &d);
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += TRAP_LENGTH;
    answered++;
}

/* EVEX (AVX-512 and later) begins with 62; VEX (AVX, AVX2, FMA) with C5 or C4. VPDPBUSD and its kin are opcodes 50 to 53
 * of VEX map 0F38. In 64-bit mode these bytes begin nothing else. */
static enum kind kind_of(const uint8_t *at) {
    switch (at[0]) {
    case 0x62: return EVEX;
    case 0xC5: return VEX;
    case 0xC4: return (at[1] & 0x1F) == 2 && at[3] >= 0x50 && at[3] <= 0x53 ? VEX_VNNI : VEX;
    default: return OTHER;
    }
}

static void on_sample(int number, siginfo_t *info, void *raw) {
    (void)number;
    (void)info;
    samples[kind_of((const uint8_t *)((ucontext_t *)raw)->uc_mcontext.gregs[REG_RIP])]++;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0) {
        perror("preload.so: sigaction");
        exit(1);
    }
}

static void write_samples(void) {
    FILE *file = fopen(getenv("PEER_SAMPLES"), "w");
    if (file == NULL) {
        perror(getenv("PEER_SAMPLES"));
        return;
    }
    fprintf(file, "{\"cpuid_answered\": %lu", answered);
    for (int kind = 0; kind < KINDS; kind++) {
        fprintf(file, ", \"%s\": %lu", kind_name[kind], samples[kind]);
    }
    fprintf(file, "}\n");
    fclose(file);
}

__attribute__((constructor)) static void begin(void) {
    handle(SIGILL, on_illegal_instruction);
    if (getenv("PEER_SAMPLES") != NULL) {
        handle(SIGPROF, on_sample);
        struct itimerval every = {{0, SAMPLE_MICROSECONDS}, {0, SAMPLE_MICROSECONDS}};
        setitimer(ITIMER_PROF, &every, NULL);
        atexit(write_samples);
    }
}
