/** What each reserved word and each opening word means, with one line of recipe: for the reference and for editors. */
import { type ClauseWord, type Opener, type OperatorWord } from '../../parser/words.ts';

export type WordPage = {
	readonly summary: string;
	/** One statement that reads as it stands. */
	readonly example: string;
};

const page = (summary: string, example: string): WordPage => ({ summary, example });

/** Words that open a statement which transforms nothing. */
export const openerPages: Readonly<Record<Opener, WordPage>> = {
	recipe: page(
		'Name, version and a sentence about the recipe; the first statement.',
		'recipe bert-lite 1.2.0',
	),
	param: page(
		'A value with a name, for `$name`; `-p name=value` sets it, and numbers can have limits.',
		'param share = 25% from 0% to 50%',
	),
	input: page(
		'Sizes of an input with dynamic dimensions: for costs, times and generated inputs.',
		'input input_ids 1x128',
	),
	protect: page('Nodes and weights whose names match are touched by no statement.', 'protect "*.pooler.*"'),
	require: page(
		'What a model must be for this recipe; held against it before anything is done.',
		'require transformer with layers >= 6',
	),
	calibrate: page(
		'Inputs on which scores are measured and readers refitted.',
		'calibrate with "calib.jsonl" take 128',
	),
	evaluate: page('Labelled data on which quality is measured.', 'evaluate with "dev.jsonl" metric accuracy'),
	expect: page('A promise of the result: nothing is written when it does not hold.', 'expect cosine >= 0.98'),
	use: page('Another recipe: applied here, or named with `as`.', 'use "./common/half.prune"'),
	apply: page('A recipe that `use` gave a name, its parameters set.', 'apply half(share = 50%)'),
};

/** Reserved words, by what they begin or join. */
export const clausePages: Readonly<Record<ClauseWord, WordPage>> = {
	in: page(
		'Where the statement looks: layers, stacks, or a glob over names of nodes and weights.',
		'prune heads 25% in layers 6..12',
	),
	except: page('Places that are left out.', 'prune ffn 25% except layers [0, -1]'),
	where: page('Units that meet a condition over their fields.', 'prune heads where importance < 0.1'),
	by: page('The metric that ranks the units.', 'prune heads 25% by l2'),
	with: page(
		'The way a technique does it; and what follows `calibrate`, `evaluate` and `require`.',
		'share ffn across layers 6..12 with mean',
	),
	without: page('What the technique leaves undone.', 'prune heads 25% without compensation'),
	keep: page('How many units stay, or which.', 'prune heads keep 8'),
	lowest: page(
		'How many go, the least important first; the same as the number alone.',
		'prune heads lowest 3',
	),
	rank: page('Columns of the factors that a matrix becomes.', 'factorize ffn rank 64'),
	energy: page(
		'The smallest rank that keeps this share of the squared singular values.',
		'factorize attention energy 95%',
	),
	ratio: page('The share of parameters that stays of each matrix.', 'factorize ffn ratio 50%'),
	auto: page(
		'Factors that are faster on this machine, measured part by part; by multiply–adds where nothing runs.',
		'factorize ffn auto',
	),
	until: page(
		'A cost to reach; what costs least quality for it goes first.',
		'prune heads, ffn until latency <= 60%',
	),
	while: page('A quality to keep.', 'prune ffn while cosine >= 0.99'),
	after: page(
		'Behind a layer, which is complete there: n + 1 layers have run.',
		'exit after layer 5 when confidence > 0.9',
	),
	across: page('The layers that come to share.', 'share ffn across layers 6..12'),
	at: page('A place that the technique names.', 'prune softmax at output'),
	when: page('A condition over what is measured at run time.', 'exit after layer 5 when entropy < 0.3'),
	fit: page(
		'Data that what is added is fitted on.',
		'exit after layer 5 when margin > 0.5 fit from "train.jsonl" take 512',
	),
	from: page('The lower limit of a parameter, and the data of `fit`.', 'param floor = 0.1 from 0 to 1'),
	to: page('The upper limit of a parameter.', 'param floor = 0.1 from 0 to 1'),
	take: page('How many examples are read.', 'calibrate with "text.txt" take 128 tokens 128 seed 7'),
	as: page('The name under which a recipe can be applied.', 'use "./common/half.prune" as half'),
	seen: page(
		'Tokens that a corpus holds at least so often.',
		'prune vocab keep seen 2 times in "corpus.txt"',
	),
	times: page('How often, behind `seen`.', 'prune vocab keep seen 2 times in "corpus.txt"'),
	globally: page('Units are ranked across layers, not layer by layer.', 'prune heads 25% globally'),
	align: page('Kept counts go to multiples of this; 1 turns it off.', 'prune ffn 30% align 8'),
	min: page(
		'Units that stay in each group; 0 lets the whole structure go.',
		'prune heads where importance < 0.1 min 0',
	),
	may: page(
		'Inputs and outputs whose shape or meaning may change.',
		'prune vocab keep 50% may change "logits"',
	),
	only: page('A half of the layers.', 'prune layers [3] only ffn'),
	step: page('Every so manieth position of a range.', 'prune layers 0..12 step 2'),
};

/** Words inside conditions. */
export const operatorPages: Readonly<Record<OperatorWord, WordPage>> = {
	and: page('Both conditions hold.', 'prune heads where importance < 0.1 and layer >= 6'),
	or: page('One of the conditions holds.', 'prune heads where importance < 0.1 or index == 0'),
	not: page('The condition does not hold.', 'prune heads where not layer < 6'),
	matches: page('The name of a unit fits a glob.', 'prune ffn where name matches "*.attention.*"'),
};

/** Fields of a unit that a condition can read, beside the metrics by name. */
export const fieldPages: Readonly<Record<string, string>> = {
	importance: 'max(0, score) over the largest score of the group, from 0 to 1',
	layer: 'number of the layer, from 0, in the model as it was given',
	index: 'number of the unit in its layer, from 0, in the model as it was given',
	size: 'units in the group that the unit belongs to',
	params: 'parameters that go with the unit',
	macs: 'multiply–adds that go with the unit',
	name: 'name of the group: `name matches "*.attention.*"`',
};

/** Settings of `calibrate` and `evaluate`. */
export const settingPages: Readonly<Record<string, string>> = {
	take: 'how many examples are read',
	tokens: 'how long each text may be, in tokens',
	seed: 'which examples are taken',
	metric: 'what is measured on the labels',
};
