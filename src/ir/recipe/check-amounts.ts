/** What says how much is removed or kept, typed. */
import * as messages from '../../messages/check.ts';
import { type NumberSyntax, type Positions } from '../../parser/syntax.ts';
import { type AmountItem, type Of } from './check-clauses.ts';
import { checkPositions } from './check-positions.ts';
import { type Checking, shareOf, wholeOf } from './checking.ts';
import { type Amount } from './recipe.ts';
import { type AmountKind } from './vocabulary.ts';

/** The amount that an item asks for, or nothing and messages; a list behind `keep` is read as the technique has it. */
export function amountOf(
	item: AmountItem,
	accepted: readonly AmountKind[],
	checking: Checking,
): Amount | undefined {
	switch (item.kind) {
		case 'set': {
			const ranges = checkPositions(item.positions, checking);
			return ranges && { kind: 'set', ranges };
		}
		case 'rank': {
			const rank = wholeOf(item.value, { what: 'a rank', least: 1 }, checking);
			return rank === undefined ? undefined : { kind: 'rank', rank };
		}
		case 'energy':
		case 'ratio':
			return partOf(item.value, item.kind, item.span, checking);
		case 'auto':
			return { kind: 'auto' };
		case 'keep-list':
			return accepted.includes('schedule')
				? scheduleOf(item.positions, checking)
				: keptSet(item.positions, checking);
		case 'keep-file':
			return { kind: 'keep-file', path: item.path.value };
		case 'keep-seen': {
			const times = wholeOf(item.times, { what: 'a number of times', least: 1 }, checking);
			return times === undefined ? undefined : { kind: 'keep-seen', times, path: item.path.value };
		}
		case 'keep-word':
			return { kind: 'keep-word', word: item.word.text };
		case 'pattern':
			return patternOf(item, checking);
		case 'count':
		case 'lowest':
		case 'keep':
			return counted(item.value, item.kind === 'keep', checking);
	}
}

/** A share above zero of what there is in a matrix. */
function partOf(
	value: NumberSyntax,
	kind: 'energy' | 'ratio',
	span: AmountItem['span'],
	checking: Checking,
): Amount | undefined {
	const share = shareOf(
		value,
		kind === 'energy' ? 'a share of the energy' : 'a share of the parameters',
		checking,
	);
	if (share !== 0) return share === undefined ? undefined : { kind, share };
	checking.problems.push(messages.removesAll({ found: `${kind} 0%` }, { span }));
	return undefined;
}

function counted(value: NumberSyntax, keeps: boolean, checking: Checking): Amount | undefined {
	const unit = value.kind === 'number' ? value.unit : checking.params.get(value.name)?.unit;
	if (unit === '%') {
		const share = shareOf(value, 'an amount', checking);
		return share === undefined ? undefined : { kind: keeps ? 'keep-share' : 'remove-share', share };
	}
	const count = wholeOf(value, { what: 'an amount', least: 0 }, checking);
	return count === undefined ? undefined : { kind: keeps ? 'keep-count' : 'remove-count', count };
}

function keptSet(positions: Positions, checking: Checking): Amount | undefined {
	const ranges = checkPositions(positions, checking);
	return ranges && { kind: 'keep-set', ranges };
}

function scheduleOf({ ranges, span }: Positions, checking: Checking): Amount | undefined {
	const shares = ranges.map((range) => {
		if (range.kind === 'index') return shareOf(range.at, 'a share that stays', checking);
		checking.problems.push(messages.noSchedule({}, { span: range.span }));
		return undefined;
	});
	const known = shares.filter((share) => share !== undefined);
	if (known.length < shares.length) return undefined;
	const zero = ranges[known.indexOf(0)];
	if (zero === undefined && known.length > 0) return { kind: 'schedule', shares: known };
	checking.problems.push(
		messages.removesAll({ found: known.length === 0 ? 'keep []' : '0%' }, { span: zero?.span ?? span }),
	);
	return undefined;
}

function patternOf({ keep, of, span }: Of<'pattern'>, { problems }: Checking): Amount | undefined {
	if (keep > 0 && keep < of) return { kind: 'pattern', keep, of };
	problems.push(messages.badPattern({ found: `${keep}:${of}` }, { span }));
	return undefined;
}
