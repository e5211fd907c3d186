/** The clauses and the amount of a transform, before it is known whether a technique has them. */
import { type Span } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { type Item } from '../../parser/syntax.ts';
import { type Checking, shareOf, wholeOf } from './checking.ts';
import { checkPositions } from './check-positions.ts';
import { type Amount } from './recipe.ts';

/** Items whose kind can be `K`. */
type Of<K extends Item['kind'], I extends Item = Item> = I extends Item
	? K extends I['kind']
		? I
		: never
	: never;
export type AmountItem = Of<'count'> | Of<'set'>;

/** One item of a kind; a second one has been reported. */
export type Clauses = {
	readonly amount?: AmountItem;
	readonly where?: Of<'where'>;
	readonly by?: Of<'by'>;
	readonly only?: Of<'only'>;
	readonly globally?: Of<'globally'>;
	readonly align?: Of<'align'>;
	readonly min?: Of<'min'>;
	readonly in?: Of<'in'>;
	readonly except?: Of<'except'>;
};

const amounts: ReadonlySet<Item['kind']> = new Set<Item['kind']>([
	'count',
	'keep',
	'lowest',
	'rank',
	'energy',
	'set',
]);

/** Sorts items by clause; an amount beside an amount or a condition, and a clause that stands twice, get a message. */
export function sortItems(items: readonly Item[], { problems }: Checking): Clauses {
	const sorted = new Map<string, Item>();
	for (const item of items) {
		if (item.kind === 'stray') continue;
		const slot = amounts.has(item.kind) ? 'amount' : item.kind;
		const first = sorted.get(slot);
		if (first === undefined) sorted.set(slot, item);
		else if (slot === 'amount') problems.push(twoAmounts(item, first));
		else problems.push(messages.duplicateClause({ clause: slot, hint: joined(slot) }, { span: item.span }));
	}
	const [amount, where] = [sorted.get('amount'), sorted.get('where')];
	if (amount !== undefined && where !== undefined && removes(amount)) {
		const [first, second] = amount.span.start < where.span.start ? [amount, where] : [where, amount];
		problems.push(twoAmounts(second, first));
	}
	return Object.fromEntries(sorted);
}

function joined(clause: string): string | undefined {
	if (clause === 'where') return 'conditions are joined by `and` or `or`';
	return clause === 'in' || clause === 'except' ? 'several places are separated by commas' : undefined;
}

/** Ranks are how much is kept of what is there; a condition beside them says where. */
function removes(item: Item): boolean {
	return item.kind !== 'rank' && item.kind !== 'energy';
}

function twoAmounts(second: Item, first: Item): ReturnType<typeof messages.twoAmounts> {
	return messages.twoAmounts({ second: itemWords(second), first: itemWords(first) }, { span: second.span });
}

/** What an item is called in messages. */
export function itemWords(item: Item): string {
	switch (item.kind) {
		case 'count':
			return item.value.kind === 'number' && item.value.unit === '%' ? 'a share' : 'a count';
		case 'set':
			return 'a list of positions';
		case 'where':
			return 'a condition';
		case 'keep':
		case 'lowest':
		case 'rank':
		case 'energy':
		case 'align':
		case 'min':
		case 'in':
		case 'except':
		case 'by':
		case 'only':
		case 'globally':
			return `\`${item.kind}\``;
		case 'stray':
			return `\`${item.word.text}\``;
	}
}

/** The amount that an item asks for, or nothing and messages. */
export function amountOf(item: AmountItem, checking: Checking): Amount | undefined {
	switch (item.kind) {
		case 'set': {
			const ranges = checkPositions(item.positions, checking);
			return ranges && { kind: 'set', ranges };
		}
		case 'rank': {
			const rank = wholeOf(item.value, { what: 'a rank', least: 1 }, checking);
			return rank === undefined ? undefined : { kind: 'rank', rank };
		}
		case 'energy': {
			const share = shareOf(item.value, 'a share of the energy', checking);
			if (share !== 0) return share === undefined ? undefined : { kind: 'energy', share };
			checking.problems.push(messages.removesAll({ found: 'energy 0%' }, { span: item.span }));
			return undefined;
		}
		case 'count':
		case 'lowest':
		case 'keep':
		case 'align':
		case 'min':
			return counted(item.value, item.kind === 'keep', checking);
	}
}

function counted(
	value: Exclude<AmountItem, { kind: 'set' }>['value'],
	keeps: boolean,
	checking: Checking,
): Amount | undefined {
	const unit = value.kind === 'number' ? value.unit : checking.params.get(value.name)?.unit;
	if (unit === '%') {
		const share = shareOf(value, 'an amount', checking);
		return share === undefined ? undefined : { kind: keeps ? 'keep-share' : 'remove-share', share };
	}
	const count = wholeOf(value, { what: 'an amount', least: 0 }, checking);
	return count === undefined ? undefined : { kind: keeps ? 'keep-count' : 'remove-count', count };
}

/** Where messages of later stages point. */
export function spansOf({
	amount,
	where,
	by,
	in: inside,
}: Clauses): Readonly<Record<'amount' | 'where' | 'by' | 'in', Span | undefined>> {
	return { amount: amount?.span, where: where?.span, by: by?.span, in: inside?.span };
}
