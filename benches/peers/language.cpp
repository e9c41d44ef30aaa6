/* llama.cpp as a contestant of `cargo xtask peers llm`.
 *
 *   language bench MODEL.gguf THREADS CONTEXT PASS
 *   language quantise FROM.gguf TO.gguf q4_0|q8_0
 *
 * "bench" opens the model, says {"system": ..} on a line, and then takes turns as `clawdbot bench llm --on-request` does: for
 * each line "READ WRITE" of standard input it reads a made-up prompt of READ tokens and computes WRITE tokens one by one behind
 * it, and answers [nanoseconds, nanoseconds]. All settings but the four are those of its own llama-bench (0.3.36): batches of at
 * most PASS tokens (llama-bench: 512), F16 keys and values, flash attention where it likes, mmap, repacking, a thread pool that
 * lasts. It does not warm up by itself, so that the first line's answer is its first token.
 *
 * "quantise" is its llama-quantize --allow-requantize.
 */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ggml-cpu.h"
#include "llama.h"

namespace {

using Clock = std::chrono::steady_clock;

long long nanoseconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

void only_errors(ggml_log_level level, const char *text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

[[noreturn]] void fail(const char *what, const char *of) {
    std::fprintf(stderr, "language: %s: %s\n", what, of);
    std::exit(1);
}

/* The prompt of src/bench/language.rs: any tokens cost the same, these run through the whole embedding. */
llama_token token_at(long at, int vocabulary) { return static_cast<llama_token>(at * 7919 % vocabulary); }

void decode(llama_context *context, std::vector<llama_token> &tokens) {
    const llama_batch batch = llama_batch_get_one(tokens.data(), static_cast<int32_t>(tokens.size()));
    if (llama_decode(context, batch) != 0) fail("llama_decode", "refused");
    llama_synchronize(context);
}

void run(llama_context *context, int vocabulary, long read, long write, long pass) {
    llama_memory_clear(llama_get_memory(context), false);
    std::vector<llama_token> tokens;
    const auto begun = Clock::now();
    for (long at = 0; at < read; at += pass) {
        tokens.clear();
        for (long next = at; next < std::min(at + pass, read); next++) tokens.push_back(token_at(next, vocabulary));
        decode(context, tokens);
    }
    const auto were_read = Clock::now();
    for (long at = read; at < read + write; at++) {
        tokens.assign(1, token_at(at, vocabulary));
        decode(context, tokens);
    }
    const auto were_written = Clock::now();
    std::printf("[%lld, %lld]\n", nanoseconds(begun, were_read), nanoseconds(were_read, were_written));
    std::fflush(stdout);
}

int bench(const char *path, int threads, int positions, int pass) {
    llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    if (!model) fail(path, "cannot be loaded");
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(positions);
    params.n_batch = params.n_ubatch = static_cast<uint32_t>(pass);
    params.n_threads = params.n_threads_batch = threads;
    llama_context *context = llama_init_from_model(model, params);
    if (!context) fail(path, "no context");
    ggml_threadpool_params pool_params = ggml_threadpool_params_default(threads);
    ggml_threadpool *pool = ggml_threadpool_new(&pool_params);
    if (!pool) fail(path, "no threads");
    llama_attach_threadpool(context, pool, nullptr);
    const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    if (vocabulary <= 0) fail(path, "no vocabulary");

    std::printf("{\"system\": \"%s\"}\n", llama_print_system_info());
    std::fflush(stdout);
    char line[64];
    while (std::fgets(line, sizeof line, stdin)) {
        long read = -1, write = -1;
        if (std::sscanf(line, "%ld %ld", &read, &write) != 2 || read < 0 || write < 0) fail("not READ WRITE", line);
        run(context, vocabulary, read, write, pass);
    }
    llama_free(context);
    ggml_threadpool_free(pool);
    llama_model_free(model);
    return 0;
}

int quantise(const char *from, const char *to, const char *form) {
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.allow_requantize = true;
    if (std::strcmp(form, "q4_0") == 0) params.ftype = LLAMA_FTYPE_MOSTLY_Q4_0;
    else if (std::strcmp(form, "q8_0") == 0) params.ftype = LLAMA_FTYPE_MOSTLY_Q8_0;
    else fail("not q4_0 or q8_0", form);
    if (llama_model_quantize(from, to, &params) != 0) fail(from, "cannot be quantised");
    return 0;
}

}  // namespace

int main(int count, char **words) {
    llama_log_set(only_errors, nullptr);
    llama_backend_init();
    if (count == 6 && std::strcmp(words[1], "bench") == 0)
        return bench(words[2], std::atoi(words[3]), std::atoi(words[4]), std::atoi(words[5]));
    if (count == 5 && std::strcmp(words[1], "quantise") == 0) return quantise(words[2], words[3], words[4]);
    std::fputs("usage: language bench MODEL THREADS CONTEXT PASS | language quantise FROM TO q4_0|q8_0\n", stderr);
    return 2;
}
