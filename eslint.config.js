import tseslint from 'typescript-eslint';

/** The import law (ARCHITECTURE.md): which folders a folder of `src` must never import from. */
const top = ['report', 'cli', 'compile', 'build', 'tasks', 'model-folder', 'recipe-text'];
const law = {
	'src/parser/**': ['quality', 'ir', 'passes', 'backends', 'numerics', 'data', 'files', ...top],
	'src/ir/**': ['quality', 'passes', 'backends', 'numerics', 'data', 'files', ...top],
	'src/passes/**': ['quality', 'parser', 'backends', 'data', 'files', ...top],
	'src/numerics/**': ['quality', 'parser', 'passes', 'backends', 'data', 'files', ...top],
	'src/backends/**': ['quality', 'parser', 'passes', ...top],
	'src/data/**': ['quality', 'parser', 'passes', ...top],
	'src/quality/**': ['parser', 'passes', 'numerics', 'backends', 'data', 'files', ...top],
	'src/report/**': ['parser', 'passes', 'backends', 'data', 'files', ...top.slice(1)],
};
const outside = ['node:*', 'fs', 'process', 'protobufjs', 'protobufjs/*', 'onnxruntime-node', 'onnx-proto'];
const pure = new Set([
	'src/parser/**',
	'src/ir/**',
	'src/passes/**',
	'src/numerics/**',
	'src/quality/**',
	'src/report/**',
]);

const lawBlocks = Object.entries(law).map(([files, forbidden]) => ({
	files: [files],
	rules: {
		'no-restricted-imports': [
			'error',
			{
				patterns: [
					...forbidden.map((folder) => ({
						group: [`**/${folder}/**`, `**/${folder}.ts`],
						message: `${files} must not import from ${folder} (ARCHITECTURE.md, the import law).`,
					})),
					...(pure.has(files)
						? [{ group: outside, message: `${files} is pure: no files, processes, protobuf or runtime.` }]
						: []),
				],
			},
		],
	},
}));

export default tseslint.config(
	{
		ignores: [
			'dist/',
			'node_modules/',
			'coverage/',
			'src/numerics/wasm/*.ts',
			'test/fixtures/**/*.py',
			'editors/**',
		],
	},
	tseslint.configs.strictTypeChecked,
	tseslint.configs.stylisticTypeChecked,
	{
		languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
		rules: {
			'@typescript-eslint/switch-exhaustiveness-check': [
				'error',
				{ considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
			],
			'@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
			'@typescript-eslint/consistent-type-definitions': ['error', 'type'],
			'@typescript-eslint/explicit-module-boundary-types': 'error',
			'@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
			'@typescript-eslint/no-unused-vars': [
				'error',
				{ ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
			],
			'@typescript-eslint/no-non-null-assertion': 'error',
			'@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
			// Texts here are ASCII equations and token lists, never emoji.
			'@typescript-eslint/no-misused-spread': 'off',
			'no-console': 'error',
			'no-restricted-syntax': [
				'error',
				{ selector: 'ExportDefaultDeclaration', message: 'Use named exports.' },
				{
					selector: "ThrowStatement > NewExpression[callee.name='Error']",
					message: 'Throw a Fault or call bug() (src/diagnostic.ts).',
				},
			],
			'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
			'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
		},
	},
	// One class by chevrotain's design: every rule of the language, one method each.
	{
		files: ['src/parser/grammar.ts'],
		rules: { 'max-lines': ['error', { max: 340, skipBlankLines: true, skipComments: true }] },
	},
	...lawBlocks,
	{
		files: ['src/cli/**', 'src/cli.ts', 'bench/**', 'examples/**', 'scripts/**', 'test/**'],
		rules: { 'no-console': 'off' },
	},
	{
		files: ['test/**', 'bench/**', 'examples/**', 'scripts/**'],
		rules: {
			'max-lines-per-function': 'off',
			'max-lines': ['error', 400],
			'@typescript-eslint/no-non-null-assertion': 'off',
			'no-restricted-syntax': 'off',
		},
	},
	{ files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
	{
		files: ['eslint.config.js'],
		rules: {
			'no-restricted-syntax': 'off',
			'@typescript-eslint/no-deprecated': 'off',
			'@typescript-eslint/explicit-module-boundary-types': 'off',
		},
	},
);
