/** Whether the service runs in production, as far as its environment or NODE_ENV says so. */
export function isProduction(environment: string | undefined): boolean {
  return environment === 'production' || environment === 'prod' || process.env.NODE_ENV === 'production';
}
