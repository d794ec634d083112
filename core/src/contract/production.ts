/** Returns whether an environment is called `production` or `prod`, in small or capital letters. False for undefined. */
export function isProductionEnvironment(environment: string | undefined): boolean {
  return environment !== undefined && /^prod(uction)?$/i.test(environment);
}

/** Returns whether the environment is production, or NODE_ENV is `production`, as in most images of services. */
export function runsInProduction(environment: string | undefined): boolean {
  return isProductionEnvironment(environment) || process.env.NODE_ENV === 'production';
}
