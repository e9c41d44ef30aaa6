/* llama.cpp as a contestant of `cargo xtask peers llm`.
 *
 *   language bench MODEL.gguf THREADS CONTEXT PASS
 *   language quantise FROM.gguf TO.gguf q4_0|q4_k_m|q8_0|f16
 *   language perplexity MODEL.gguf THREADS WINDOW TOKENS TEXT
 *
 * "bench" opens the model, says {"system": ..} on a line, and then takes turns as `clawdbot bench llm --on-request` does: for
 * each line "READ WRITE" of standard input it reads a made-up prompt of READ tokens and computes WRITE tokens one by one behind
 * it, and answers [nanoseconds, nanoseconds]. All settings but the four are those of its own llama-bench (0.3.36): batches of at
 * most PASS tokens (llama-bench: 512), F16 keys and values, flash attention where it likes, mmap, repacking, a thread pool that
 * lasts. It does not warm up by itself, so that the first line's answer is its first token.
 *
 * "quantise" is its llama-quantize --allow-requantize.
 *
 * "perplexity" predicts the first TOKENS tokens of the file TEXT as `clawdbot eval perplexity` does, in windows of WINDOW that do not
 * overlap and begin with nothing but the token before, F16 keys and values. (Its own llama-perplexity counts only the second half
 * of each window.) Says {"perplexity": .., "tokens": ..}, where the first token is not counted: nothing predicts it.
 */
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
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
    else if (std::strcmp(form, "q4_k_m") == 0) params.ftype = LLAMA_FTYPE_MOSTLY_Q4_K_M;
    else if (std::strcmp(form, "q8_0") == 0) params.ftype = LLAMA_FTYPE_MOSTLY_Q8_0;
    else if (std::strcmp(form, "f16") == 0) params.ftype = LLAMA_FTYPE_MOSTLY_F16;
    else fail("not q4_0, q4_k_m, q8_0 or f16", form);
    if (llama_model_quantize(from, to, &params) != 0) fail(from, "cannot be quantised");
    return 0;
}

std::vector<llama_token> tokens_of(const llama_vocab *vocabulary, const char *path, size_t most) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(path, "cannot be read");
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<llama_token> tokens(text.size());
    const int count = llama_tokenize(vocabulary, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                                     static_cast<int32_t>(tokens.size()), false, false);
    if (count < 2) fail(path, "has less than two tokens");
    tokens.resize(std::min(static_cast<size_t>(count), most));
    return tokens;
}

/* -log of the probability that `logits` give to `token`. */
double surprise(const float *logits, int size, llama_token token) {
    const float most = *std::max_element(logits, logits + size);
    double sum = 0;
    for (int at = 0; at < size; at++) sum += std::exp(static_cast<double>(logits[at] - most));
    return std::log(sum) - static_cast<double>(logits[token] - most);
}

int perplexity(const char *path, int threads, int window, long most, const char *text) {
    if (window < 1 || most < 2) fail("WINDOW and TOKENS", "must be positive, and two tokens the least");
    llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    if (!model) fail(path, "cannot be loaded");
    const llama_vocab *vocabulary = llama_model_get_vocab(model);
    const int size = llama_vocab_n_tokens(vocabulary);
    const std::vector<llama_token> tokens = tokens_of(vocabulary, text, static_cast<size_t>(most));
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = static_cast<uint32_t>(window);
    params.n_threads = params.n_threads_batch = threads;
    llama_context *context = llama_init_from_model(model, params);
    if (!context) fail(path, "no context");
    llama_batch batch = llama_batch_init(window, 0, 1);
    double sum = 0;
    for (size_t start = 0; start + 1 < tokens.size(); start += static_cast<size_t>(window)) {
        const size_t end = std::min(start + static_cast<size_t>(window), tokens.size() - 1);
        batch.n_tokens = static_cast<int32_t>(end - start);
        for (int at = 0; at < batch.n_tokens; at++) {
            batch.token[at] = tokens[start + static_cast<size_t>(at)];
            batch.pos[at] = at;
            batch.n_seq_id[at] = 1;
            batch.seq_id[at][0] = 0;
            batch.logits[at] = 1;
        }
        llama_memory_clear(llama_get_memory(context), false);
        if (llama_decode(context, batch) != 0) fail("llama_decode", "refused");
        for (int at = 0; at < batch.n_tokens; at++)
            sum += surprise(llama_get_logits_ith(context, at), size, tokens[start + static_cast<size_t>(at) + 1]);
    }
    const double count = static_cast<double>(tokens.size() - 1);
    std::printf("{\"perplexity\": %.6f, \"tokens\": %zu}\n", std::exp(sum / count), tokens.size() - 1);
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    return 0;
}

}  // namespace

int main(int count, char **words) {
    llama_log_set(only_errors, nullptr);
    llama_backend_init();
    if (count == 6 && std::strcmp(words[1], "bench") == 0)
        return bench(words[2], std::atoi(words[3]), std::atoi(words[4]), std::atoi(words[5]));
    if (count == 5 && std::strcmp(words[1], "quantise") == 0) return quantise(words[2], words[3], words[4]);
    if (count == 7 && std::strcmp(words[1], "perplexity") == 0)
        return perplexity(words[2], std::atoi(words[3]), std::atoi(words[4]), std::atol(words[5]), words[6]);
    std::fputs("usage: language bench MODEL THREADS CONTEXT PASS | language quantise FROM TO q4_0|q4_k_m|q8_0|f16 |\n"
               "       language perplexity MODEL THREADS WINDOW TOKENS TEXT\n", stderr);
    return 2;
}
