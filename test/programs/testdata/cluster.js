// Serves HTTP by two workers, which share the listener of the primary process, on the port
// that the argument names. /ipc is what a worker got over an AF_UNIX socket of the primary.
const cluster = require('cluster')
const http = require('http')
const net = require('net')

const path = process.env.HOME + '/ipc.sock'

if (cluster.isPrimary) {
	require('fs').rmSync(path, { force: true })
	let ready = 0
	cluster.on('listening', () => {
		if (++ready === 2) net.createServer(client => client.end('hello over AF_UNIX')).listen(path)
	})
	for (let i = 0; i < 2; i++) cluster.fork()
	cluster.on('exit', () => process.exit(1))
	process.on('SIGTERM', () => {
		cluster.removeAllListeners('exit')
		cluster.disconnect(() => process.exit(0))
	})
} else {
	http.createServer((request, response) => {
		if (request.url === '/ipc') net.connect(path).on('error', () => response.destroy()).pipe(response)
		else response.end('hello from worker')
	}).listen(process.argv[2], '127.0.0.1')
}
