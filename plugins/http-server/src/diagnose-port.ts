import { type Diagnosis, isKeelsonError } from '@keelson/core';
import { listen } from './listen.js';
import { http } from './node-http.js';
import type { HttpOptions } from './options.js';

/** Checks whether a start could listen: binds each port for a moment, and releases it. */
export async function diagnosePorts({
  admin,
  ...api
}: Pick<HttpOptions, 'port' | 'host' | 'admin'>): Promise<readonly Diagnosis[]> {
  const diagnoses = [await diagnosePort('port', api)];
  if (admin !== undefined) diagnoses.push(await diagnosePort('admin port', admin));
  return diagnoses;
}

async function diagnosePort(name: string, place: Pick<HttpOptions, 'port' | 'host'>): Promise<Diagnosis> {
  const server = http.createServer();
  try {
    await listen(server, place);
    const output = place.port === 0 ? 'Any free port will be taken.' : `Port ${place.port} is free.`;
    return { name, status: 'pass', output };
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    // The running service itself may hold the port.
    const status = error.code === 'HTTP_PORT_TAKEN' ? 'warn' : 'fail';
    const running = status === 'warn' ? 'Do nothing if this service runs already. Otherwise: ' : '';
    return { name, status, output: error.message, hint: `${running}${error.hint ?? ''}` };
  } finally {
    server.close();
  }
}
