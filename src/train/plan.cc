#include "train/plan.h"

#include "base/memory.h"

namespace prwkv {

MemoryPlan plan_memory(const std::string& path, const Selection& selection, const LoadOptions& load,
                       const TrainerOptions& options, BackendOptions backend) {
  MemoryPlan plan;
  // Code that has not run yet, and buffers of writers: measured.
  constexpr std::size_t kLater = std::size_t{5} << 20;
  plan.process = resident_bytes() + kLater;
  backend.dry_run = true;
  const std::unique_ptr<Backend> nothing = make_backend(backend);
  const TrainedModel model(path, *nothing, selection, load);
  Arena scratch(*nothing);
  ParamGrads gradients(*nothing);
  for (const Trained& t : model.parameters()) gradients.watch(t.value);
  // Two chunks and the gradient between them ask for what any number of them does, but for the states.
  const PassOptions pass = options.pass();
  PassOptions two = pass;
  two.context = std::min(pass.context, 2 * pass.chunk);
  BackPropagation passes(model.model(), *nothing, scratch, gradients, two, model.initial_state());
  Sample sample;
  sample.inputs.assign(static_cast<std::size_t>(two.context), 0);
  sample.targets = sample.inputs;
  const std::vector<Sample> samples(static_cast<std::size_t>(pass.sequences), sample);
  (void)passes.backward(samples, 1);

  plan.elements = model.elements();
  plan.trained = model.trained_elements();
  plan.rows = pass.sequences * pass.chunk;
  plan.weights = model.weight_bytes();
  plan.gradients = static_cast<std::size_t>(plan.trained) * sizeof(float);
  plan.moments = 2 * plan.gradients;
  plan.states =
      passes.state_bytes() +
      static_cast<std::size_t>(pass.saved_states() - two.saved_states()) * passes.bytes_of_one();
  plan.activations = scratch.peak();
  plan.kernels = nothing->scratch_bytes();
  return plan;
}

}  // namespace prwkv
