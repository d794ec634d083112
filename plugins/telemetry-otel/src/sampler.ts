import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { Settings } from './settings.js';

export function samplerOf({ sampler, sampleRate }: Settings): Sampler {
  const root = rootOf(sampler, sampleRate);
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function rootOf(sampler: Settings['sampler'], sampleRate: number): Sampler {
  if (sampler.endsWith('traceidratio')) return new TraceIdRatioBasedSampler(sampleRate);
  return sampler.endsWith('always_on') ? new AlwaysOnSampler() : new AlwaysOffSampler();
}
