// The inputs of an op, for those on the CPU.
#pragma once

#include "../inputs.h"
