import type { Pairs } from './description.ts';
import type { NamedPort } from './object-pod.ts';
import type { ServiceObject } from './object-service.ts';
import { Uses } from './uses.ts';

/** Pods, or the template of a workload, as selectors of services see them. */
export interface Selectable {
  readonly labels: Pairs;
  readonly ports: readonly NamedPort[];
  /** Key of the workload. */
  readonly group: string | undefined;
}

/** What a service selects. */
interface Selection {
  readonly service: ServiceObject;
  readonly groups: Uses<string>;
  /** Port numbers by `<protocol> <name>`. */
  readonly ports: Map<string, Uses<number>>;
}

interface Namespace {
  readonly selectables: Set<Selectable>;
  /** By one of the labels that the service wants. */
  readonly byLabel: Map<string, Set<Selection>>;
}

/**
 * Which workloads and named ports each service with a selector has. Kept by counting, so that a pod that comes or goes costs what its own labels cost,
 * not a walk over all pods of its services.
 */
export class ServiceSelection {
  readonly #namespaces = new Map<string, Namespace>();
  readonly #selections = new Map<string, Selection>();
  readonly #onChange: (service: ServiceObject) => void;

  /** `onChange` is called for each service whose workloads or ports have become others. */
  constructor(onChange: (service: ServiceObject) => void) {
    this.#onChange = onChange;
  }

  /** Workloads of a service, sorted. */
  groups({ namespace, name }: ServiceObject): readonly string[] {
    return [...(this.#selections.get(`${namespace}/${name}`)?.groups.keys() ?? [])].toSorted();
  }

  /** Numbers that a named port has, sorted. */
  ports({ namespace, name }: ServiceObject, port: string): readonly number[] {
    const found = this.#selections.get(`${namespace}/${name}`)?.ports.get(port)?.keys() ?? [];
    return [...found].toSorted((left, right) => left - right);
  }

  addService(service: ServiceObject): void {
    if (service.selector.length === 0) return;
    const selection: Selection = { service, groups: new Uses(), ports: new Map() };
    const namespace = this.#namespace(service.namespace);
    for (const one of namespace.selectables) if (isSelected(service.selector, one.labels)) count(selection, one);
    this.#selections.set(`${service.namespace}/${service.name}`, selection);
    const label = indexLabel(service.selector);
    const same = namespace.byLabel.get(label);
    if (same === undefined) namespace.byLabel.set(label, new Set([selection]));
    else same.add(selection);
  }

  removeService(service: ServiceObject): void {
    const id = `${service.namespace}/${service.name}`;
    const selection = this.#selections.get(id);
    if (selection === undefined) return;
    this.#selections.delete(id);
    const namespace = this.#namespace(service.namespace);
    const label = indexLabel(selection.service.selector);
    const same = namespace.byLabel.get(label);
    same?.delete(selection);
    if (same?.size === 0) namespace.byLabel.delete(label);
    this.#tidy(service.namespace);
  }

  add(namespace: string, selectable: Selectable): void {
    this.#namespace(namespace).selectables.add(selectable);
    for (const selection of this.#selectionsOf(namespace, selectable)) {
      if (count(selection, selectable)) this.#onChange(selection.service);
    }
  }

  remove(namespace: string, selectable: Selectable): void {
    this.#namespace(namespace).selectables.delete(selectable);
    for (const selection of this.#selectionsOf(namespace, selectable)) {
      if (discount(selection, selectable)) this.#onChange(selection.service);
    }
    this.#tidy(namespace);
  }

  *#selectionsOf(namespace: string, { labels }: Selectable): Generator<Selection> {
    const { byLabel } = this.#namespace(namespace);
    if (byLabel.size === 0) return;
    for (const label of labels) {
      for (const selection of byLabel.get(label.join('\0')) ?? []) {
        if (isSelected(selection.service.selector, labels)) yield selection;
      }
    }
  }

  #namespace(name: string): Namespace {
    let found = this.#namespaces.get(name);
    if (found === undefined) this.#namespaces.set(name, (found = { selectables: new Set(), byLabel: new Map() }));
    return found;
  }

  #tidy(name: string): void {
    const found = this.#namespaces.get(name);
    if (found?.selectables.size === 0 && found.byLabel.size === 0) this.#namespaces.delete(name);
  }
}

/** Label under which a selector is looked for: the longest value is shared by the fewest, mostly. */
function indexLabel(selector: Pairs): string {
  const longest = selector.reduce((best, one) => (one[1].length > best[1].length ? one : best));
  return longest.join('\0');
}

function isSelected(selector: Pairs, labels: Pairs): boolean {
  return selector.every(([name, value]) => labels.some((label) => label[0] === name && label[1] === value));
}

/** Whether the selection has become another one. */
function count({ groups, ports }: Selection, { group, ports: own }: Selectable): boolean {
  let isNew = group !== undefined && groups.add(group);
  for (const { protocol, name, port } of own) {
    const key = `${protocol} ${name}`;
    let numbers = ports.get(key);
    if (numbers === undefined) ports.set(key, (numbers = new Uses()));
    if (numbers.add(port)) isNew = true;
  }
  return isNew;
}

function discount({ groups, ports }: Selection, { group, ports: own }: Selectable): boolean {
  let isGone = group !== undefined && groups.drop(group);
  for (const { protocol, name, port } of own) {
    const key = `${protocol} ${name}`;
    const numbers = ports.get(key);
    if (numbers?.drop(port) === true) isGone = true;
    if (numbers?.size === 0) ports.delete(key);
  }
  return isGone;
}
