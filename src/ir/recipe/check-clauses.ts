/** The items of a transform by clause, before it is known whether a technique has them. */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { printNumber } from '../../parser/print.ts';
import { type Item } from '../../parser/syntax.ts';
import { type Checking } from './checking.ts';
import { type ClauseName } from './recipe.ts';

/** The items of the given kinds. */
export type Of<K extends Item['kind'], I extends Item = Item> = I extends Item
	? [Extract<K, I['kind']>] extends [never]
		? never
		: I & { readonly kind: Extract<K, I['kind']> }
	: never;

const amountKinds = [
	...(['count', 'set', 'pattern', 'keep', 'keep-list', 'keep-file', 'keep-seen', 'keep-word'] as const),
	...(['lowest', 'rank', 'energy', 'ratio', 'auto'] as const),
] as const;
export type AmountItem = Of<(typeof amountKinds)[number]>;

/** One item of a kind; a second one has been reported. `amount` is any that says how much. */
export type Clauses = { readonly amount?: AmountItem } & {
	readonly [K in Exclude<ClauseName, 'amount'>]?: Of<K>;
};

const amounts: ReadonlySet<Item['kind']> = new Set<Item['kind']>(amountKinds);

/** Sorts items by clause; a second source of amount, and a clause that stands twice, get a message. */
export function sortItems(items: readonly Item[], { problems }: Checking): Clauses {
	const sorted = new Map<string, Item>();
	for (const [at, item] of items.entries()) {
		if (item.kind === 'stray') continue;
		const slot = amounts.has(item.kind) ? 'amount' : item.kind;
		const first = sorted.get(slot);
		if (first === undefined) sorted.set(slot, item);
		else if (slot === 'amount') problems.push(twoAmounts(item, first, rangeMeant(items[at - 1], item)));
		else problems.push(messages.duplicateClause({ clause: slot, hint: joined(slot) }, { span: item.span }));
	}
	const clauses: Clauses = Object.fromEntries(sorted);
	problems.push(...manySources(clauses));
	return clauses;
}

/** An amount, a condition and a goal each say how much goes: one of them is enough. */
function manySources({ amount, where, until, while: floor }: Clauses): Diagnostic[] {
	const removing = amount !== undefined && removes(amount) ? amount : undefined;
	const sources = [removing, where, until ?? floor]
		.filter((one) => one !== undefined)
		.toSorted((a, b) => a.span.start - b.span.start);
	const [first, second] = sources;
	return first === undefined || second === undefined ? [] : [twoAmounts(second, first)];
}

function joined(clause: string): string | undefined {
	if (clause === 'where' || clause === 'when') return 'conditions are joined by `and` or `or`';
	if (clause === 'until' || clause === 'while') return 'goals are joined by `and`';
	const lists = ['in', 'except', 'across', 'after', 'may'];
	return lists.includes(clause) ? 'several are separated by commas' : undefined;
}

/** Ranks are how much is kept of what is there; a condition beside them says where. */
function removes(item: Item): boolean {
	return !['rank', 'energy', 'ratio', 'auto'].includes(item.kind);
}

function twoAmounts(second: Item, first: Item, range?: string): Diagnostic {
	const words = { second: itemWords(second), first: itemWords(first), range };
	return messages.twoAmounts(words, { span: second.span });
}

/** `layers 6-12` and `layers 6:12`: what is left of the sign is a place, and the rest looks like an amount. */
function rangeMeant(before: Item | undefined, item: Item): string | undefined {
	if (before === undefined || !('places' in before)) return undefined;
	if (item.kind === 'pattern') return `${item.keep}..${item.of}`;
	const place = before.places.at(-1);
	const [from] = place?.kind === 'words' ? (place.positions?.ranges ?? []) : [];
	if (item.kind !== 'count' || item.value.kind !== 'number' || from?.kind !== 'index') return undefined;
	return item.value.value < 0 ? `${printNumber(from.at)}..${-item.value.value}` : undefined;
}

/** What an item is called in messages. */
export function itemWords(item: Item): string {
	switch (item.kind) {
		case 'count':
			return item.value.kind === 'number' && item.value.unit === '%' ? 'a share' : 'a count';
		case 'set':
			return 'a list of positions';
		case 'pattern':
			return `the pattern \`${item.keep}:${item.of}\``;
		case 'where':
			return 'a condition';
		case 'until':
		case 'while':
			return 'a goal';
		case 'keep-list':
			return '`keep` with a list';
		case 'keep-file':
			return '`keep` with a file';
		case 'keep-seen':
			return '`keep seen`';
		case 'keep-word':
			return `\`keep ${item.word.text}\``;
		case 'stray':
			return `\`${item.word.text}\``;
		case 'may':
			return '`may change`';
		default:
			return `\`${item.kind}\``;
	}
}

/** Where messages of later stages point. */
export function spansOf(clauses: Clauses): Readonly<Partial<Record<ClauseName, Span>>> {
	return Object.fromEntries(Object.entries(clauses).map(([name, { span }]) => [name, span]));
}
