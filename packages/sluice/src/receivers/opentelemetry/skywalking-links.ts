import type { BoundsList } from '../bounds-list.ts';
import { FieldScan } from '../field-scan.ts';
import { AttributeScan, valueText } from './any-value.ts';
import { LinkAttribute, linkNames } from './attribute-names.ts';

/*
 * A link of a span on the wire: 4 KeyValue* (and ids, which are not looked at)
 */

/** Parent of a span that came from SkyWalking, as its links name it: `<segment>-<span>` of the first one to another process or thread, else ''. */
export function skywalkingParent(bytes: Uint8Array, links: BoundsList): string {
  for (let i = 0; i < links.count; i++) {
    const parent = parentOf(bytes, links.start(i), links.end(i));
    if (parent !== '') return parent;
  }
  return '';
}

function parentOf(bytes: Uint8Array, start: number, end: number): string {
  const attribute = new AttributeScan();
  const scan = new FieldScan();
  let kind = '';
  let segment = '';
  let span = '';
  scan.begin(bytes, start, end);
  while (scan.next()) {
    if (scan.field !== 4 || scan.wireType !== 2) continue;
    if (!attribute.readAttribute(bytes, scan.start, scan.end) || !attribute.hasValue) continue;
    const number = linkNames.find(bytes, attribute.keyStart, attribute.keyEnd);
    if (number === LinkAttribute.OTHER) continue;
    const text = valueText(attribute) ?? '';
    if (number === LinkAttribute.KIND) kind = text;
    else if (number === LinkAttribute.PARENT_SEGMENT) segment = text;
    else span = text;
  }
  const isRemote = kind === 'CrossProcess' || kind === 'CrossThread';
  return isRemote && segment !== '' && span !== '' ? `${segment}-${span}` : '';
}
