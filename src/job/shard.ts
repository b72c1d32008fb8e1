/** What a plan says of sharding, as the passes want it. */
import type { ModelConfig } from '../models/index.js';
import type { ShardOptions } from '../program/index.js';
import type { Plan } from './plan-options.js';
import { matchingTensors } from './unsharded.js';

export function shardOptions(model: ModelConfig, plan: Plan): ShardOptions | undefined {
  const { shard, shardAxes, shardTensors, shardMinimum, prefetch } = plan;
  if (shard === 'none') return undefined;
  return {
    stage: shard,
    axes: shardAxes,
    ...(shardTensors === 'all' ? {} : { tensors: matchingTensors(model, shardTensors) }),
    minimumElements: shardMinimum,
    prefetch,
  };
}
