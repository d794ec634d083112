import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import type { ReceiverOptions } from './options.js';

export interface ServiceFacts {
  readonly service: string;
  readonly environment: string | undefined;
}

/**
 * Returns the resource attributes: of the kernel, then of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, then of the
 * options. The last one wins.
 */
export function resourceOf(options: ReceiverOptions, { service, environment }: ServiceFacts): Resource {
  const known = {
    'service.name': service,
    'process.pid': process.pid,
    ...(environment !== undefined && { 'deployment.environment.name': environment }),
  };
  const chosen = {
    ...options.resource,
    ...(options.serviceName !== undefined && { 'service.name': options.serviceName }),
    ...(options.environment !== undefined && { 'deployment.environment.name': options.environment }),
  };
  return defaultResource()
    .merge(resourceFromAttributes(known))
    .merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }))
    .merge(resourceFromAttributes(chosen));
}
