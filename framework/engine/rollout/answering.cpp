#include "framework/core/door/answering.h"

#include <ATen/core/Tensor.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "framework/engine/modeling/decoder.h"
#include "framework/engine/modeling/kv_cache.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/rollout/answer_stream.h"
#include "framework/engine/rollout/rollout.h"
#include "framework/engine/rollout/sampler.h"
#include "plumb/error.h"

namespace plumb {
namespace {

class FolderAnswerer final : public Answerer {
 public:
  FolderAnswerer(LanguageModel model, Host& host) : model_(std::move(model)), host_(host) {
    if (model_.tokenizer != nullptr) return;
    throw Error(ErrorCode::data, fmt::format("{} has no tokenizer; put its files (tokenizer.json, or tokenizer.model) "
                                             "into the folder",
                                             model_.folder.string()));
  }

  [[nodiscard]] std::string chat_format() const override {
    return model_.chat_format == nullptr ? std::string() : model_.chat_format->name();
  }
  [[nodiscard]] std::int64_t context() const override { return model_.shape().context; }

  [[nodiscard]] RenderedPrompt prompt_of(const Conversation& messages) const override {
    if (model_.chat_format == nullptr) {
      throw Error(ErrorCode::recipe,
                  fmt::format("{} names no chat format; give the one it was trained with (of {}), as "
                              "an option or as {{\"chat_format\": NAME}} in plumb.json there",
                              model_.folder.string(), fmt::join(chat_format_names(), ", ")));
    }
    auto ids = model_.chat_format->render_prompt(*model_.tokenizer, messages);
    if (!ids) throw Error(ErrorCode::recipe, ids.error().what());
    return {.ids = std::move(*ids), .chat = true};
  }

  [[nodiscard]] RenderedPrompt prompt_of(const std::string& text) const override {
    const Tokenizer& tokenizer = *model_.tokenizer;
    if (text.empty()) {
      const auto bos = tokenizer.special().bos;
      if (bos) return {.ids = {*bos}, .blank = true};
      throw Error(ErrorCode::recipe,
                  fmt::format("{}: the tokenizer has no BOS token for an empty prompt to start from; "
                              "give a prompt",
                              model_.folder.string()));
    }
    RenderedPrompt out{.ids = tokenizer.encode_with_special(text)};
    if (const auto bos = written_bos(tokenizer)) out.ids.insert(out.ids.begin(), *bos);
    return out;
  }

  Answer answer(const RenderedPrompt& prompt, const Sampling& sampling,
                const std::function<void(std::string_view)>& text) override {
    const auto length = static_cast<std::int64_t>(prompt.ids.size());
    if (length >= context()) {
      throw Error(ErrorCode::recipe, fmt::format("the prompt has {} tokens and the model's context is {}: there is no "
                                                 "room for an answer; shorten the prompt",
                                                 length, context()));
    }
    const std::int64_t most = std::min(sampling.max_new_tokens, context() - length);
    const TokenLimits limits = token_limits(model_);
    const Random random = response_random(sampling.seed, "answer", 0);
    AnswerStream stream(*model_.tokenizer, {.trim_front = prompt.chat || prompt.blank, .trim_back = prompt.chat});
    Answer out;
    const auto say = [&](const std::string& more) {
      if (more.empty()) return;
      out.text += more;
      text(more);
    };

    Decoder decoder(model_);
    decoder.reserve({.prompts = 1, .prompt_tokens = length, .rows = 1, .row_tokens = most});
    const std::vector<std::size_t> slots = decoder.add_prompts({&prompt.ids, 1});
    const std::size_t row = decoder.add_row(slots.front());
    at::Tensor logits = decoder.prompt_logits(slots).cpu();
    for (std::int64_t i = 0; !(out.interrupted = host_.cancelled());) {
      const std::int64_t width = limits.drawn(logits.size(1));
      const std::span<const float> line(logits.const_data_ptr<float>(), static_cast<std::size_t>(width));
      const TokenId id = draw_token(line, sampling, random.uniform_at(static_cast<std::uint64_t>(i)));
      out.ids.push_back(id);
      // An end token that is a word like any other belongs to the text, as in transformers.
      if (id != model_.tokenizer->special().eos) say(stream.push(id));
      if (std::find(limits.ends.begin(), limits.ends.end(), id) != limits.ends.end()) {
        out.finish = FinishReason::stop;
        break;
      }
      if (++i == most) break;
      logits = decoder.next({&row, 1}, {&id, 1}).cpu();
    }
    say(stream.finish());
    // The same text unless the tokenizer joins words by a rule between tokens, which their bytes do not show.
    if (prompt.chat) out.text = model_.chat_format->parse_completion(*model_.tokenizer, out.ids);
    return out;
  }

 private:
  LanguageModel model_;
  Host& host_;
};

}  // namespace
}  // namespace plumb

extern "C" plumb::Answerer* plumb_engine_open_answerer(const plumb::OpenAnswerer& how, const plumb::Registry& registry,
                                                       plumb::Host& host) {
  plumb::LanguageModel model =
      plumb::open_language_model(how.folder, registry, host, {.placement = how.placement, .merge_adapter = true});
  plumb::choose_chat_format(model, how.chat_format);
  return std::make_unique<plumb::FolderAnswerer>(std::move(model), host).release();
}
