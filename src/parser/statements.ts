/** One line of the grammar becomes one statement of the syntax, with a message for each part that cannot be read. */
import { type CstNode, type IRecognitionException, type IToken, tokenMatcher } from 'chevrotain';
import { type Diagnostic } from '../diagnostic.ts';
import { causeOf, complaint, leftover, noStatement, oddity } from './complaints.ts';
import { leaf, leaves, node, nodes, spanOf, tokensIn } from './cst.ts';
import { type Odd } from './hints.ts';
import { readItem, strayToken, wordOf } from './items.ts';
import { makers, type Parts } from './declarations.ts';
import { type Item, type Phrase, type Statement } from './syntax.ts';
import { Comparison, Word } from './tokens.ts';

/** What the statements of one text share. */
export type Source = {
	readonly lineOf: (offset: number) => number;
	/** Of the lines above an offset, the `##` ones that touch it. */
	readonly docAbove: (offset: number) => string | undefined;
	/** The stretch of a statement an offset is in: from one clause word up to the next, numbered through the text. */
	readonly stretchOf: (offset: number) => number;
	/** Stretches with characters or brackets that were reported already: what else is wrong there follows from it. */
	readonly spoilt: ReadonlySet<number>;
};

type Outcome = { readonly statement?: Statement; readonly diagnostics: readonly Diagnostic[] };

/** Reads a `line` node; `errors` are the grammar's errors inside it. */
export function readStatement(
	line: CstNode,
	errors: readonly IRecognitionException[],
	source: Source,
): Outcome {
	const span = spanOf(line);
	const mishaps = mishapsOf(line, errors, source);
	const doc = source.docAbove(span.start);
	const isSpoilt = (offset: number): boolean => source.spoilt.has(source.stretchOf(offset));
	const fresh = mishaps.filter((one) => !isSpoilt(one.cause));
	const broken = mishaps.some((one) => one.diagnostic !== undefined || isSpoilt(one.cause));
	const parts = { span, line: source.lineOf(span.start), broken, ...(doc !== undefined && { doc }) };
	const problems: Diagnostic[] = [];
	const statement = makeStatement(line, parts, { mishaps: fresh, source }, problems);
	const diagnostics = [
		...fresh.flatMap((one) => one.diagnostic ?? []),
		...problems.filter((one) => !isSpoilt(one.span?.start ?? 0)),
	];
	if (statement === undefined) return { diagnostics };
	return { statement: problems.length > 0 ? { ...statement, broken: true } : statement, diagnostics };
}

function makeStatement(
	line: CstNode,
	parts: Parts,
	trouble: Trouble,
	problems: Diagnostic[],
): Statement | undefined {
	const transform = node(line, 'transform');
	if (transform !== undefined) return makeTransform(transform, parts, trouble, problems);
	for (const [name, make] of Object.entries(makers)) {
		const from = node(line, name);
		if (from !== undefined) return make(from, parts, problems);
	}
	return undefined;
}

/** A place where reading went wrong: with a message, or a word that the checker will have a message for. */
type Mishap = { readonly cause: number; readonly diagnostic?: Diagnostic; readonly stray?: CstNode };

type Trouble = { readonly mishaps: readonly Mishap[]; readonly source: Source };

/** Only the first mishap of a stretch counts: what follows up to the next clause word is its consequence. */
function mishapsOf(
	line: CstNode,
	errors: readonly IRecognitionException[],
	source: Source,
): readonly Mishap[] {
	const all: Mishap[] = errors.map((error) => ({ cause: causeOf(error), diagnostic: complaint(error) }));
	const rest = leaf(line, 'rest');
	const junk = node(line, 'junk');
	const alone = junk && strayToken(junk);
	if (alone !== undefined) all.push({ cause: alone.startOffset, diagnostic: noStatement(alone) });
	else if (rest !== undefined) all.push({ cause: rest.startOffset, diagnostic: leftover(oddIn(line, rest)) });
	for (const stray of straysOf(line)) {
		const token = strayToken(stray);
		if (tokenMatcher(token, Word) || followsWords(line, stray)) all.push({ cause: token.startOffset, stray });
		else all.push({ cause: token.startOffset, diagnostic: oddity(oddIn(line, token)) });
	}
	const sorted = all.toSorted((a, b) => a.cause - b.cause);
	if (junk !== undefined) return sorted.slice(0, 1);
	const stretches = sorted.map((one) => source.stretchOf(one.cause));
	return sorted.filter((_, index) => index === 0 || stretches[index] !== stretches[index - 1]);
}

/** Whether a comparison stands behind several words, one of which is then wrong: which, the checker knows. */
function followsWords(line: CstNode, stray: CstNode): boolean {
	const transform = node(line, 'transform');
	const [item, targets] =
		transform === undefined ? [] : [node(transform, 'item'), node(transform, 'targets')];
	if (item === undefined || targets === undefined || node(item, 'stray') !== stray) return false;
	const words = leaves(nodes(targets, 'phrase').at(-1) ?? targets, 'Word');
	return words.length > 1 && tokenMatcher(strayToken(stray), Comparison);
}

function oddIn(line: CstNode, token: IToken): Odd {
	const tokens = tokensIn(line);
	const [first, before] = [tokens[0], tokens[tokens.indexOf(token) - 1]];
	return { token, ...(first && { first }), ...(before && { before }) };
}

function straysOf(line: CstNode): readonly CstNode[] {
	const transform = node(line, 'transform');
	return transform === undefined ? [] : nodes(transform, 'item').flatMap((item) => nodes(item, 'stray'));
}

function makeTransform(
	from: CstNode,
	parts: Parts,
	{ mishaps, source }: Trouble,
	problems: Diagnostic[],
): Statement | undefined {
	const verb = leaf(from, 'Name');
	if (verb === undefined) return undefined;
	const items: Item[] = [];
	for (const item of nodes(from, 'item')) {
		const stray = node(item, 'stray');
		const read = item.recoveredNode === true ? undefined : readItem(item, problems);
		const isRest = followsMishap(item, mishaps) || followsSpoilt(item, parts.span.start, source);
		if (read !== undefined && !isRest) items.push(read);
		if (stray !== undefined && mishaps.some((one) => one.stray === stray)) {
			items.push({ kind: 'stray', word: wordOf(strayToken(stray)), span: spanOf(stray) });
		}
	}
	const targets = node(from, 'targets');
	return {
		kind: 'transform',
		verb: wordOf(verb),
		targets: targets === undefined ? [] : nodes(targets, 'phrase').map(phraseOf),
		items,
		...parts,
	};
}

/** Whether an item begins with no clause word and stands behind a mishap, whose remains it then is. */
function followsMishap(item: CstNode, mishaps: readonly Mishap[]): boolean {
	const { start } = spanOf(item);
	return node(item, 'amount') !== undefined && mishaps.some((one) => one.cause <= start);
}

/** Whether an item without a clause word stands behind a clause word and characters that were reported. */
function followsSpoilt(item: CstNode, from: number, { stretchOf, spoilt }: Source): boolean {
	const { start } = spanOf(item);
	const stretch = stretchOf(start);
	return node(item, 'amount') !== undefined && stretch !== stretchOf(from) && spoilt.has(stretch);
}

function phraseOf(from: CstNode): Phrase {
	const words = leaves(from, 'Word').map(wordOf);
	return { text: words.map(({ text }) => text).join(' '), words, span: spanOf(from) };
}
