import { application1m, application1s, applicationMap1m, applicationMap1s } from '../../catalog/application.ts';
import { network1m, network1s, networkMap1m, networkMap1s } from '../../catalog/network.ts';
import { trafficPolicy1m } from '../../catalog/traffic-policy.ts';
import type { DataSource } from '../../catalog/types.ts';
import { outsideWindow } from '../accept-window.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowTarget } from '../row-target.ts';
import { WireWalker } from '../wire-walker.ts';
import {
  applicationForm,
  applicationMapForm,
  documentHead,
  type DocumentForm,
  head,
  networkForm,
  networkMapForm,
  trafficPolicyForm,
} from './document-plans.ts';
import { DocumentRows } from './document-rows.ts';
import { tableOfCode } from './tag-code.ts';

/** By table number of tag-code.ts. */
const tables: readonly (readonly [DataSource, DocumentForm])[] = [
  [network1m, networkForm],
  [networkMap1m, networkMapForm],
  [application1m, applicationForm],
  [applicationMap1m, applicationMapForm],
  [network1s, networkForm],
  [networkMap1s, networkMapForm],
  [application1s, applicationForm],
  [applicationMap1s, applicationMapForm],
  [trafficPolicy1m, trafficPolicyForm],
];

/**
 * METRICS: one document becomes one row of the table that its tag code names.
 *
 * Dropped are documents that are `malformed`, of an `unknown_code`, `too_old`, `too_new`, with the wrong meter (`meter_mismatch`), or without an address
 * where the table has one (`bad_address`).
 */
export function createDocumentDecoder({ target }: { readonly target: RowTarget }): RecordDecoder {
  const walker = new WireWalker(documentHead);
  const root = walker.message('document');
  const documents = tables.map(([source, form]) => ({ source, rows: new DocumentRows(form) }));
  return {
    decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
      walker.scan(bytes);
      if (!walker.walk(root, start, end)) return 'malformed';
      const number = tableOfCode(walker.low[head.code]!, walker.high[head.code]!, walker.low[head.flags]! & 1);
      if (number < 0) return 'unknown_code';
      const { source, rows } = documents[number]!;
      const seconds = walker.low[head.time]!;
      const block = target.block(source, sender.org);
      const outside = outsideWindow(block, seconds);
      if (outside !== undefined) return outside;
      const dropped = rows.write(block, bytes, start, end);
      if (dropped !== undefined) {
        block.abandon();
        return dropped;
      }
      block.setNumber(rows.team, sender.team);
      block.commit(seconds * 1000);
      return undefined;
    },
  };
}
