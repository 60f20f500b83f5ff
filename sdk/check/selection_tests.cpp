// Selection policies: what they choose from a prompt's scored responses.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "plumb/error.h"
#include "plumb/selection_policy.h"
#include "sdk/check/context.h"

namespace plumb::check {
namespace {

ResponseGroup group_of(const std::vector<double>& rewards, const std::string& id, bool annotated = true) {
  ResponseGroup group;
  group.prompt = {id, {{"user", "question " + id}}, {}};
  for (const double reward : rewards) {
    Response response;
    response.text = id + " answer " + std::to_string(group.responses.size());
    response.ids = {static_cast<TokenId>(group.responses.size() + 4), 2};
    response.reward = reward;
    group.responses.push_back(std::move(response));
  }
  if (annotated) {
    group.annotation = Preference{id, group.prompt, "the better one", "the worse one", 1.5, -0.25, 1.75};
  }
  return group;
}

std::vector<double> draw_rewards(Random& random, std::size_t count) {
  std::vector<double> rewards(count);
  for (double& reward : rewards) reward = 2.5 * random.normal();
  return rewards;
}

std::vector<ResponseGroup> ordinary_groups(const Context& c) {
  Random random = c.random().derive("groups");
  std::vector<ResponseGroup> groups;
  for (const std::size_t count : {16u, 2u, 5u, 9u, 16u, 3u}) {
    groups.push_back(group_of(draw_rewards(random, count), "p" + std::to_string(groups.size())));
  }
  return groups;
}

Random draws(const Context& c, const ResponseGroup& group) {
  return c.random().derive(group.prompt.id);
}

std::string text(const Selection& selection) {
  std::string out;
  for (const PairChoice& pair : selection.pairs) {
    out += std::to_string(pair.chosen) + ">" + std::to_string(pair.rejected) + " ";
  }
  for (const int index : selection.demonstrations) out += std::to_string(index) + " ";
  for (const PairVerdict& seen : selection.audit) {
    out += std::to_string(seen.pair.chosen) + "?" + std::to_string(seen.pair.rejected) + (seen.kept ? "+" : "-") +
           seen.reason + exact(seen.gap) + " ";
  }
  return out;
}

std::string use(Context& c, Component& component) {
  auto& policy = static_cast<SelectionPolicy&>(component);
  std::string out;
  for (const ResponseGroup& group : ordinary_groups(c)) out += text(policy.select(group, draws(c, group))) + "\n";
  const auto threshold = policy.threshold();
  return out + (threshold ? exact(*threshold) : "");
}

void in_range(const ResponseGroup& group, int index, const std::string& what) {
  if (index == PairChoice::annotated) {
    require(group.annotation.has_value(), what + " names an annotation where there is none");
    return;
  }
  require(
      index >= 0 && index < static_cast<int>(group.responses.size()),
      what + " has index " + std::to_string(index) + " of " + std::to_string(group.responses.size()) + " responses");
}

void valid(const ResponseGroup& group, const Selection& selection) {
  const std::string who = std::to_string(group.responses.size()) + " responses: ";
  for (const PairChoice& pair : selection.pairs) {
    in_range(group, pair.chosen, who + "a chosen answer");
    in_range(group, pair.rejected, who + "a rejected answer");
    require(pair.chosen != pair.rejected || pair.chosen == PairChoice::annotated,
            who + "response " + std::to_string(pair.chosen) + " is paired with itself");
  }
  for (const int index : selection.demonstrations) {
    require(index != PairChoice::annotated, who + "a demonstration names the annotation");
    in_range(group, index, who + "a demonstration");
  }
}

void indices(Context& c) {
  Made made = c.make();
  for (const ResponseGroup& group : ordinary_groups(c)) {
    valid(group, made.as<SelectionPolicy>().select(group, draws(c, group)));
  }
}

void yields(Context& c) {
  Made made = c.make();
  const auto promised = [&](const char* type) {
    const auto& types = c.component->yields;
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  require(promised("pairs") || promised("demonstrations"),
          "it was registered without .yields({\"pairs\"}) or demonstrations");
  for (const ResponseGroup& group : ordinary_groups(c)) {
    const Selection chosen = made.as<SelectionPolicy>().select(group, draws(c, group));
    require(chosen.pairs.empty() || promised("pairs"), "it returns pairs and was not registered as yielding them");
    require(chosen.demonstrations.empty() || promised("demonstrations"),
            "it returns demonstrations and was not registered as yielding them");
  }
}

void audit(Context& c) {
  Made made = c.make();
  for (const ResponseGroup& group : ordinary_groups(c)) {
    const Selection chosen = made.as<SelectionPolicy>().select(group, draws(c, group));
    if (chosen.audit.empty()) continue;
    for (const PairVerdict& seen : chosen.audit) {
      const bool there = std::find(chosen.pairs.begin(), chosen.pairs.end(), seen.pair) != chosen.pairs.end();
      const bool demonstrated = std::find(chosen.demonstrations.begin(), chosen.demonstrations.end(),
                                          seen.pair.chosen) != chosen.demonstrations.end();
      const std::string pair = std::to_string(seen.pair.chosen) + " over " + std::to_string(seen.pair.rejected);
      require(seen.kept ? there || demonstrated : !there || demonstrated,
              "the audit says that " + pair + (seen.kept ? " was kept" : " was dropped") +
                  ", the selection says otherwise");
      const auto count = static_cast<int>(group.responses.size());
      if (seen.pair.chosen < 0 || seen.pair.rejected < 0 || seen.pair.chosen >= count || seen.pair.rejected >= count)
        continue;
      const double gap = *group.responses[static_cast<std::size_t>(seen.pair.chosen)].reward -
                         *group.responses[static_cast<std::size_t>(seen.pair.rejected)].reward;
      require(std::abs(gap - seen.gap) <= 1e-9 * (1 + std::abs(gap)),
              "the audit gives " + pair + " a gap of " + exact(seen.gap) + "; the rewards differ by " + exact(gap));
    }
  }
}

// The selection with each index replaced by the answer's text, in no order.
std::vector<std::string> contents(const ResponseGroup& group, const Selection& selection) {
  std::vector<std::string> out;
  const auto name = [&](int i) {
    return i < 0 || i >= static_cast<int>(group.responses.size()) ? std::to_string(i)
                                                                  : group.responses[static_cast<std::size_t>(i)].text;
  };
  for (const PairChoice& pair : selection.pairs) out.push_back(name(pair.chosen) + ">" + name(pair.rejected));
  for (const int index : selection.demonstrations) out.push_back(name(index));
  std::sort(out.begin(), out.end());
  return out;
}

void permutation(Context& c) {
  Made made = c.make();
  auto& policy = made.as<SelectionPolicy>();
  Random random = c.random().derive("permutation");
  for (const ResponseGroup& group : ordinary_groups(c)) {
    const auto chosen = contents(group, policy.select(group, draws(c, group)));
    for (int seed = 0; seed < 8; ++seed) {  // a policy that draws may draw by index
      if (contents(group, policy.select(group, Random(static_cast<std::uint64_t>(seed)))) != chosen) {
        throw Skip{"it draws at random"};
      }
    }
    ResponseGroup shuffled = group;
    random.shuffle(shuffled.responses);
    require(contents(shuffled, policy.select(shuffled, draws(c, group))) == chosen,
            "the same responses in another order give another selection");
  }
}

void small_groups(Context& c) {
  Made made = c.make();
  auto& policy = made.as<SelectionPolicy>();
  for (const std::size_t count : {0u, 1u}) {
    const ResponseGroup group = group_of(std::vector<double>(count, 0.5), "small", c.needs("annotation"));
    Selection chosen;
    try {
      chosen = policy.select(group, draws(c, group));
    } catch (...) {
      throw Failure{std::to_string(count) + " responses: " + caught() + "; wanted an empty selection"};
    }
    valid(group, chosen);
  }
}

void ties(Context& c) {
  Made made = c.make();
  auto& policy = made.as<SelectionPolicy>();
  const std::vector<std::vector<double>> cases{{1, 1, 1, 1}, {0, 0}, {2, 1, 2, 1, 2}, {-3, -3, -3}};
  for (const auto& rewards : cases) {
    const ResponseGroup group = group_of(rewards, "tied");
    Selection chosen;
    try {
      chosen = policy.select(group, draws(c, group));
    } catch (...) {
      throw Failure{"equal rewards: " + caught()};
    }
    valid(group, chosen);
    require(text(policy.select(group, draws(c, group))) == text(chosen),
            "equal rewards: asked again, it chooses differently");
  }
}

void nan_rewards(Context& c) {
  Made made = c.make();
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const std::size_t place : {0u, 2u}) {
      std::vector<double> rewards{0.5, -1, 2, 1};
      rewards[place] = bad;
      const ResponseGroup group = group_of(rewards, "nan");
      try {
        const Selection chosen = made.as<SelectionPolicy>().select(group, draws(c, group));
        valid(group, chosen);
      } catch (const std::exception&) {
        // refusing is right too
      }
    }
  }
}

void concurrent(Context& c) {
  Made made = c.make();
  const auto& policy = made.as<SelectionPolicy>();
  const auto groups = ordinary_groups(c);
  std::vector<std::string> wanted;
  for (const auto& group : groups) wanted.push_back(text(policy.select(group, draws(c, group))));
  std::vector<std::string> wrong(4);
  std::vector<std::thread> threads;
  for (std::string& mine : wrong) {
    threads.emplace_back([&] {
      try {
        for (int round = 0; round < 50; ++round) {
          for (std::size_t i = 0; i < groups.size(); ++i) {
            if (text(policy.select(groups[i], draws(c, groups[i]))) != wanted[i])
              mine = "several threads at once get other answers";
          }
        }
      } catch (...) {
        mine = caught();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : wrong) require(problem.empty(), problem);
}

}  // namespace

Kind selection_kind() {
  return {SelectionPolicy::kind,
          "selection",
          use,
          nullptr,
          {
              {"selection.indices", "names responses that exist, never one against itself", indices},
              {"selection.yields", "returns what it was registered as yielding", yields},
              {"selection.audit", "the audit agrees with the selection and the rewards", audit},
              {"selection.permutation", "the order of the responses does not matter", permutation},
              {"selection.small", "no response or a single one gives no pair and no error", small_groups},
              {"selection.ties", "equal rewards are settled, always the same way", ties},
              {"selection.not-finite", "a reward that is not finite is refused or gives valid indices", nan_rewards},
              {"selection.concurrent", "several threads may ask at once", concurrent},
          }};
}

}  // namespace plumb::check
