import type { Names } from '../base/ports.ts';

/** Of an inventory that was never loaded. */
export const noNames: Names = {
  version: 0,
  name: () => '',
  device: () => '',
  podGroupType: () => 0,
  podLabels: () => [],
};
