import { observationPoints } from '../catalog/observation-points.ts';

/** By number of an observation point, 1: processes are seen there, with addresses that mean nothing elsewhere (loopback, link-local). */
export const seesProcesses: Uint8Array = new Uint8Array(256);
for (const name of ['local', 'c-p', 's-p'] as const) seesProcesses[observationPoints[name]] = 1;
