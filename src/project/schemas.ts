/** The YAML of recipe repositories. `npm run docs` publishes the schemas in `grammar/`. */

const size = { type: 'integer', minimum: 1, maximum: 4096 };
const named = { type: 'object', additionalProperties: false } as const;

/** Where a model comes from. */
const model = {
	description: 'A model: a file of an installed npm package, a file of this repository, or a generated one.',
	oneOf: [
		{ ...named, properties: { npm: { type: 'string', minLength: 1 } }, required: ['npm'] },
		{
			...named,
			properties: {
				file: { type: 'string', minLength: 1 },
				sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
			},
			required: ['file'],
		},
		{
			...named,
			properties: {
				generate: { const: 'encoder', description: 'A transformer encoder with seeded weights.' },
				...{
					layers: size,
					heads: size,
					width: { ...size, description: 'Of a head.' },
					ffn: size,
					seed: { type: 'integer', minimum: 0 },
				},
			},
			required: ['generate'],
		},
	],
};

export const projectSchema = {
	$schema: 'http://json-schema.org/draft-07/schema#',
	$id: 'https://prunec.dev/project-1.schema.json',
	title: 'A repository of prunec recipes',
	type: 'object',
	properties: {
		name: { type: 'string', minLength: 1 },
		models: { description: 'Models that tests name.', type: 'object', additionalProperties: model },
		recipes: {
			description: 'Folders that hold recipes, from this one; absent: this one and all below.',
			type: 'array',
			items: { type: 'string', minLength: 1 },
			minItems: 1,
		},
	},
	additionalProperties: false,
} as const;

export const testSchema = {
	$schema: 'http://json-schema.org/draft-07/schema#',
	$id: 'https://prunec.dev/recipe-test-1.schema.json',
	title: 'Tests of a prunec recipe, in <recipe>.test.yaml beside it',
	type: 'object',
	properties: {
		cases: {
			type: 'array',
			minItems: 1,
			items: {
				type: 'object',
				properties: {
					model: { description: 'A name in prunec.yaml.', type: 'string', minLength: 1 },
					params: { type: 'object', additionalProperties: { type: ['number', 'string'] } },
					shapes: {
						description: 'Sizes for dynamic dimensions, by input: `[1, 3, 48, 320]`.',
						type: 'object',
						additionalProperties: { type: 'array', items: size },
					},
					data: {
						description: 'Calibration inputs, from the folder of the test.',
						type: 'string',
						minLength: 1,
					},
					seed: { type: 'integer', minimum: 0 },
					samples: { type: 'integer', minimum: 1, maximum: 1000 },
					removes: {
						description: 'How many units each statement takes, in order.',
						type: 'array',
						items: { type: 'integer', minimum: 0 },
					},
					params_after: { description: 'Parameters of the result at most.', type: 'integer', minimum: 0 },
					drift: {
						description:
							'The greatest drift from the original: cosine and top1 at least, the others at most.',
						type: 'object',
						properties: {
							...{ cosine: { type: 'number' }, top1: { type: 'number' }, kl: { type: 'number' } },
							relativeL2: { type: 'number' },
						},
						additionalProperties: false,
					},
				},
				required: ['model', 'removes'],
				additionalProperties: false,
			},
		},
	},
	required: ['cases'],
	additionalProperties: false,
} as const;

export type ModelSource =
	| { readonly npm: string }
	| { readonly file: string; readonly sha256?: string }
	| {
			readonly generate: 'encoder';
			readonly layers?: number;
			readonly heads?: number;
			readonly width?: number;
			readonly ffn?: number;
			readonly seed?: number;
	  };
export type ProjectFile = {
	readonly name?: string;
	readonly models?: Readonly<Record<string, ModelSource>>;
	readonly recipes?: readonly string[];
};
export type TestCase = {
	readonly model: string;
	readonly params?: Readonly<Record<string, number | string>>;
	readonly shapes?: Readonly<Record<string, readonly number[]>>;
	readonly data?: string;
	readonly seed?: number;
	readonly samples?: number;
	readonly removes: readonly number[];
	readonly params_after?: number;
	readonly drift?: {
		readonly cosine?: number;
		readonly top1?: number;
		readonly kl?: number;
		readonly relativeL2?: number;
	};
};
export type TestFile = { readonly cases: readonly TestCase[] };
