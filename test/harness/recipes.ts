/** Recipes for tests of the language: everything that can be written, and arbitrary ones. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { readRecipe } from '../../src/parser/read.ts';

/** Each statement form at least once, with odd but right spelling. */
export const samples: readonly string[] = [
	'',
	'# nothing but a comment\n',
	'prune heads where importance < 0.1 in layers 6..12; factorize ffn rank 64',
	[
		'recipe bert-lite 1.2.0',
		'  "Half of the upper heads, low-rank FFN, two layers fewer"',
		'',
		'## how small is small',
		'param floor = 0.1 from 0 to 1   # set with -p',
		'input input_ids 1x128',
		'input "a b" 3',
		'calibrate with "calib.jsonl" take 128 seed 7',
		'protect "*.pooler.*", "x\\"y"',
		'prune heads where importance < $floor in layers 50%..',
		'prune layers lowest 2 by block_influence',
		'factorize ffn energy 95% in layers 0..6',
		'expect cosine >= 0.98',
		'expect outputs unchanged',
		'expect size <= 40MiB; expect params <= 60%',
		'expect top1 agreement >= 99%',
	].join('\n'),
	'prune heads, ffn 25% in encoder layers ..4, decoder, cross attention,\n "glob.*" except layers [0, -1]',
	'prune heads keep 8 globally by wanda align 4 min 2\nprune ffn keep 50%\n\n\nprune ffn 3',
	'prune layers [0, 4..6, 8..=9, -2.., 0..12 step 2] only attention',
	'prune heads where not (importance < 0.1 or layer >= 6) and -index * 2 + 1 <= size / (3 - 1) and name matches "*.q"',
	'prune ffn where importance <\n  0.5 and   # kept\n  layer != 3\n  in layers [\n    1,\n    2\n  ]\n',
	[
		'prune bias; prune bias 30%; prune embeddings dims 10%',
		'prune vocab keep "tokens.txt" may change "logits"; prune vocab keep seen 2 times in "corpus.txt"',
		'prune norms in layers [3, 4] with static without compensation',
		'prune softmax at output; prune softmax with constant in layers [8]',
		'prune positions keep 128; share; fuse layers 4..6; prune weights 2:4',
		'share ffn with mean across layers 6..12',
		'factorize ffn ratio 50%; factorize ffn auto; factorize ffn, attention energy 95%',
		'merge tokens 30% after layer 3; prune tokens keep last after last attention',
		'prune tokens keep [100%, 70%, 50%] after layers [0, 4, 8] by attention',
		'exit after layer 5 fit from "train.jsonl" take 512 when confidence > 0.9 and entropy < 0.3',
		'calibrate with "a.npz"; prune heads, ffn until latency <= 60% and params <= 50% while cosine >= 0.98 without compensation',
		'prune layers keep [0, 3, 7]; prune heads 3 in layer 2',
	].join('\n'),
	[
		'protect "a"',
		'may change "logits", "ids"',
		'may change "more"',
		'require opset >= 13; require transformer with layers >= 6 and heads >= 2; require transformer',
		'calibrate with "text.txt" take 128 tokens 64 seed 7',
		'evaluate with "dev.jsonl" metric accuracy take 10',
		'expect accuracy drop <= 1%; expect latency <= 0.7x; expect macs <= 50%; expect accuracy >= 0.9',
	].join('\n'),
	[
		'param corpus = "calib.jsonl"; param places = "*.pooler.*"; param measure = l2; param upper = 50%..',
		'param gone = [0, 3..5]; param how = mean; param a = ..=4 step 2',
		'calibrate with $corpus take 8; evaluate with $corpus metric $measure',
		'protect $places, "*.q"; may change $corpus',
		'prune heads 25% by $measure in layers $upper, "a.*" except $places, layers [$gone, 1]',
		'prune layers $gone; prune vocab keep $corpus; prune vocab keep seen 2 times in $corpus',
		'prune heads where name matches $places and not name matches "*.k"',
		'share ffn across layers $upper with $how; exit after layer 3 fit from $corpus when entropy < 1',
	].join('\n'),
	'prune heads 25%; may change "logits"\nprune ffn 3; # both\nmay change "ids"; prune vocab keep 50% may change "x"',
	'use "./common/free-lunch.prune"\nuse "npm:@acme/prune-recipes/lite.prune" as lite\n## applied\napply lite(floor = 0.2,\n  share = -$x)\napply lite\napply lite()',
];

const word = fc.constantFrom('importance', 'layer', 'index', 'size', 'params', 'macs', 'l2');
const number = fc.oneof(
	fc.nat(400).map(String),
	fc.nat(99).map((value) => `0.${String(value)}`),
	fc.nat(100).map((value) => `${String(value)}%`),
);
const { condition } = fc.letrec<{ condition: string; term: string }>((tie) => ({
	term: fc.oneof(
		{ depthSize: 'small' },
		word,
		number,
		fc
			.tuple(tie('term'), fc.constantFrom('+', '-', '*', '/'), tie('term'))
			.map((all) => `(${all.join(' ')})`),
		tie('term').map((term) => `-${term}`),
	),
	condition: fc.oneof(
		{ depthSize: 'small' },
		fc
			.tuple(tie('term'), fc.constantFrom('<', '<=', '>', '>=', '==', '!='), tie('term'))
			.map((all) => all.join(' ')),
		fc.tuple(tie('condition'), fc.constantFrom('and', 'or'), tie('condition')).map((all) => all.join(' ')),
		tie('condition').map((inner) => `(${inner})`),
		tie('condition').map((inner) => `not (${inner})`),
		fc.constant('name matches "*.q"'),
	),
}));
const end = fc.integer({ min: -20, max: 400 }).map(String);
const range = fc.oneof(
	fc.tuple(end, fc.constantFrom('..', '..='), end).map((all) => all.join('')),
	end.map((from) => `${from}..`),
	fc.nat(100).map((to) => `..${String(to)}%`),
);
const positions = fc.oneof(
	range,
	fc.array(fc.oneof(range, end), { minLength: 1, maxLength: 4 }).map((all) => `[${all.join(', ')}]`),
);
const place = fc.oneof(
	positions.map((all) => `layers ${all}`),
	positions.map((all) => `encoder layers ${all}`),
	fc.constantFrom('decoder', 'cross attention', '"a.*"'),
);
const amount = fc.oneof(
	number,
	positions,
	number.map((value) => `keep ${value}`),
	number.map((value) => `lowest ${value}`),
	fc.nat(64).map((rank) => `rank ${String(rank)}`),
	condition.map((all) => `where ${all}`),
);
const clause = fc.oneof(
	place.map((one) => `in ${one}`),
	fc.array(place, { minLength: 1, maxLength: 3 }).map((all) => `except ${all.join(', ')}`),
	fc.constantFrom('globally', 'by l2', 'by wanda', 'only ffn', 'align 8', 'min 0'),
);
const transform = fc
	.tuple(
		fc.constantFrom('prune heads', 'prune ffn', 'prune heads, ffn', 'prune layers', 'factorize ffn'),
		amount,
		fc.array(clause, { maxLength: 3 }),
	)
	.map(([begin, how, clauses]) => [begin, how, ...clauses].join(' '));
/** Statements of the samples that stand on one line, each by itself. */
const lines = fc.constantFrom(
	...samples
		.flatMap((sample) => sample.split(/\r\n|\r|\n/))
		.filter((line) => readRecipe(line).syntax.complete && !/^\s/.test(line)),
);
const statement = fc.oneof(
	{ weight: 4, arbitrary: transform },
	fc.constantFrom(
		'param floor = 0.1 from 0 to 1',
		'expect kl <= 0.05',
		'protect "x"',
		'# a comment',
		'',
		'## doc',
	),
	lines,
);

/** Statements that can be read; whether they mean something is left open. */
export const recipe: fc.Arbitrary<string> = fc
	.array(fc.tuple(statement, fc.constantFrom('\n', '\n', '\n\n\n', '  # said\n', '\r\n')), { maxLength: 6 })
	.map((lines) => lines.map((line) => line.join('')).join(''));

/** Every recipe file that is shipped: the examples and the template of a repository. */
export const shipped: readonly string[] = ['recipes', 'templates'].flatMap((folder) =>
	readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((file) => file.endsWith('.prune'))
		.map((file) => readFileSync(join(folder, file), 'utf8')),
);

/** What a text says, without where it says it, clauses in one order. */
export function meaning(text: string): unknown {
	const { syntax } = readRecipe(text);
	const bare = JSON.stringify(syntax.statements, (key, value: unknown) => {
		if (['span', 'dimsSpan', 'line', 'doc'].includes(key)) return undefined;
		if (key !== 'items') return value;
		const items = value as readonly { readonly kind: string }[];
		return items.toSorted((a, b) => a.kind.localeCompare(b.kind));
	});
	return JSON.parse(bare);
}
