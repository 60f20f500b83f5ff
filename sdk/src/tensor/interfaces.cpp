// Destructors of the tensor interfaces: one home for each vtable, in this library and nowhere else.
#include "plumb/tensor/attention.h"
#include "plumb/tensor/model.h"
#include "plumb/tensor/optimizer.h"

namespace plumb {
inline namespace v1 {

Attention::~Attention() = default;
Model::~Model() = default;
Optimizer::~Optimizer() = default;

}  // namespace v1
}  // namespace plumb
