/** A vocabulary like the real one, so that the language can be tested without techniques. */
import { type Choice, type TechniqueWords, type Vocabulary } from '../../src/ir/recipe/vocabulary.ts';

const choices = (...words: readonly string[]): readonly Choice[] =>
	words.map((word) => ({ word, summary: `The word ${word}.` }));
const units = {
	amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'set'],
	bare: false,
	clauses: ['in', 'except', 'where', 'by', 'align', 'min', 'globally', 'until', 'while'],
	choices: { without: choices('compensation') },
	metrics: ['l2', 'l1', 'wanda', 'activation', 'random'],
} as const satisfies Partial<TechniqueWords>;
const factors = {
	amounts: ['rank', 'energy', 'ratio', 'auto'],
	bare: false,
	clauses: ['in', 'except', 'align'],
	metrics: [],
	aliases: [],
} as const satisfies Partial<TechniqueWords>;

const places = ['in', 'except'] as const;
const plain = { aliases: [], metrics: [], bare: true, amounts: [], clauses: places } as const;

/** One technique for each statement of the language that the real table may lack. */
const others: readonly TechniqueWords[] = [
	{
		...{ ...plain, name: 'prune-bias', verb: 'prune', target: 'bias', summary: 'Bias vectors.' },
		...{ example: 'prune bias', amounts: ['remove-share'] },
	},
	{
		...{ ...plain, name: 'prune-vocab', verb: 'prune', target: 'vocab', aliases: ['embeddings'] },
		...{ summary: 'Rows of a token table.', example: 'prune vocab keep "tokens.txt"', bare: false },
		...{ amounts: ['keep-share', 'keep-file', 'keep-seen'], clauses: ['may change'] },
	},
	{
		...{ ...plain, name: 'prune-hidden', verb: 'prune', target: 'hidden', aliases: ['embeddings dims'] },
		...{ summary: 'Model width.', example: 'prune hidden 10%', bare: false, amounts: ['remove-share'] },
	},
	{
		...{ ...plain, name: 'prune-norms', verb: 'prune', target: 'norms', summary: 'Normalizations.' },
		...{ example: 'prune norms', choices: { with: choices('static'), without: choices('compensation') } },
	},
	{
		...{ ...plain, name: 'prune-softmax', verb: 'prune', target: 'softmax', summary: 'Softmaxes.' },
		...{ example: 'prune softmax', choices: { with: choices('constant', 'mean'), at: choices('output') } },
	},
	{
		...{ ...plain, name: 'prune-positions', verb: 'prune', target: 'positions', summary: 'Positions.' },
		...{ example: 'prune positions keep 128', amounts: ['keep-count'] },
	},
	{
		...{ ...plain, name: 'prune-weights', verb: 'prune', target: 'weights', summary: 'Single weights.' },
		...{ example: 'prune weights 2:4', bare: false, amounts: ['pattern', 'remove-share'] },
	},
	{ ...plain, name: 'share', verb: 'share', summary: 'Equal tensors once.', example: 'share' },
	{
		...{ ...plain, name: 'share-ffn', verb: 'share', target: 'ffn', summary: 'One block for several.' },
		...{ example: 'share ffn across layers 6..12', clauses: ['across'], needs: ['across'] },
		choices: { with: choices('mean', 'best', 'basis') },
	},
	{
		...{ ...plain, name: 'fuse-layers', verb: 'fuse', target: 'layers', summary: 'Several layers as one.' },
		...{ example: 'fuse layers 4..6', amounts: ['set'], bare: false },
	},
	{
		...{ ...plain, name: 'prune-tokens', verb: 'prune', target: 'tokens', summary: 'Positions at run time.' },
		...{ example: 'prune tokens keep 50% after layer 3', bare: false, metrics: ['attention'] },
		...{ amounts: ['remove-share', 'keep-share', 'keep-word', 'schedule'], needs: ['after'] },
		...{ clauses: ['after', 'by', 'where'], choices: { keep: choices('last') } },
	},
	{
		...{ ...plain, name: 'merge-tokens', verb: 'merge', target: 'tokens', summary: 'Alike tokens as one.' },
		...{ example: 'merge tokens 30% after layer 3', amounts: ['remove-share'], bare: false },
		...{ clauses: ['after'], needs: ['after'] },
	},
	{
		...{ ...plain, name: 'exit', verb: 'exit', summary: 'Stop when sure.', needs: ['after', 'when'] },
		...{ example: 'exit after layer 5 when confidence > 0.9', clauses: ['after', 'fit'] },
		...{ signals: choices('confidence', 'entropy', 'agreement'), choices: { with: choices('staged') } },
	},
];

export const vocabulary: Vocabulary = {
	techniques: [
		{
			...units,
			...{ name: 'prune-heads', verb: 'prune', target: 'heads', aliases: [] },
			...{ summary: 'Remove attention heads.', example: 'prune heads 25%' },
		},
		{
			...units,
			...{ name: 'prune-ffn', verb: 'prune', target: 'ffn', aliases: ['neurons'] },
			...{ summary: 'Remove hidden neurons.', example: 'prune ffn keep 50%' },
		},
		{
			...units,
			clauses: ['in', 'except', 'where', 'by', 'min'],
			choices: {
				only: [
					{ word: 'attention', summary: 'The attention half.' },
					{ word: 'ffn', summary: 'The feed-forward half.' },
				],
			},
			metrics: ['block_influence', 'random'],
			...{ name: 'prune-layers', verb: 'prune', target: 'layers', aliases: ['blocks'] },
			...{ summary: 'Remove whole layers or halves.', example: 'prune layers [10, 11]' },
		},
		{
			...factors,
			...{ name: 'factorize-ffn', verb: 'factorize', target: 'ffn' },
			...{ summary: 'Two thinner matrices for one.', example: 'factorize ffn rank 64' },
		},
		{
			...factors,
			...{ name: 'factorize-attention', verb: 'factorize', target: 'attention' },
			...{ summary: 'Two thinner matrices for one.', example: 'factorize attention energy 95%' },
		},
		...others,
	],
	measures: ['accuracy', 'l2'].map((name) => ({ name, summary: 'What is judged.' })),
	metrics: [
		{ name: 'attention', summary: 'Attention received.', needs: 'calibration' },
		{ name: 'l1', summary: 'Sum of absolute weights.', needs: 'nothing' },
		{ name: 'l2', summary: 'Root of the sum of squared weights.', needs: 'nothing' },
		{ name: 'random', summary: 'A seeded draw.', needs: 'nothing' },
		{ name: 'wanda', summary: 'Weights times activations.', needs: 'calibration' },
		{ name: 'activation', summary: 'Size of the activations.', needs: 'calibration' },
		{ name: 'block_influence', summary: 'How far a layer moves the stream.', needs: 'calibration' },
	],
};
