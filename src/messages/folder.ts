/** Messages about the files beside a result. */
import { defineDiagnostic } from '../diagnostic.ts';

type Said = {
	/** `num_hidden_layers 12 → 10`. */
	readonly changes: readonly string[];
	/** `intermediate_size: 3072, 2048, …`. */
	readonly uneven: readonly string[];
	readonly fits: readonly string[];
	/** `optimum: why`. */
	readonly unfit: readonly string[];
};

export const configWritten = defineDiagnostic({
	code: 'write/config',
	severity: 'note',
	explain:
		'A folder in the Hugging Face layout says in `config.json` how many layers, heads and neurons its model has. Keys that said what the model had now say what it has; one number cannot say it where layers differ, and then the key stays as it was. Runtimes take sizes from the model itself; loaders that make caches from the configuration may not fit the result.',
	message: ({ changes }: Said) =>
		changes.length === 0 ? 'config.json stays as it was' : `config.json now says ${changes.join(', ')}`,
	notes: ({ uneven, fits, unfit }) => [
		...uneven.map((one) => `layers differ, so this key stays: ${one}`),
		`loads in ${fits.join(', ')}`,
		...unfit.map((one) => `not in ${one}`),
	],
});
export const siblingsStay = defineDiagnostic({
	code: 'write/other-models',
	severity: 'note',
	explain:
		'A folder can hold several files of one model: other precisions, quantized ones. A recipe is carried out on one of them, and weights that nobody pruned are not copied into a folder of the result.',
	message: ({ names }: { names: readonly string[] }) =>
		`${names.join(', ')} ${names.length === 1 ? 'stays' : 'stay'} behind: only one model of the folder was pruned`,
	hint: () => 'run the recipe on each of them, or quantize and convert the result again',
});
